using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd.Checking;

/// <summary>
/// Looks for data in sectors that the bitmap of a dynamic disk's block says were never written. The specification has them read as zeros; programs that
/// do not look at the bitmap, QEMU among them, show the data.
/// </summary>
internal static class VhdBitmapAudit
{
    private const int PieceLength = 64 * 1024;

    /// <summary>Looks at the bitmap of each block, and at the sectors that it says are not there.</summary>
    /// <param name="check">Told what was found.</param>
    /// <param name="layout">What the headers say; of a disk without a parent.</param>
    /// <param name="blocks">The blocks, in the order of the file.</param>
    internal static void Run(FileCheck check, VhdLayout layout, IReadOnlyList<ulong> blocks)
    {
        byte[] bitmap = new byte[PieceLength];
        byte[] data = new byte[PieceLength];
        var holes = new HoleFinder(check.File, HoleFinder.IsSparse(check.File));
        for (int i = 0; i < blocks.Count; i++)
        {
            check.CancellationToken.ThrowIfCancellationRequested();
            check.Report(i, blocks.Count);
            uint block = (uint)blocks[i];
            long start = (long)(blocks[i] >> 32) * VhdLimits.SectorSize;
            if (FirstHidden(check, layout, block, start, bitmap, data, holes) is long sector)
            {
                check.Add(
                    Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.SectorsHidden, start, "Sector bitmap",
                    () => $"Sector {sector} of block {block} holds data, and the bitmap at 0x{start:x} says that it was never written: it reads as zeros here, and as the data in programs that do not look at the bitmap.");
            }
        }
    }

    private static long? FirstHidden(FileCheck check, VhdLayout layout, uint block, long start, byte[] bitmap, byte[] data, HoleFinder holes)
    {
        long sectors = (layout.DataBytes(block) + VhdLimits.SectorSize - 1) / VhdLimits.SectorSize;
        for (long first = 0; first < sectors; first += PieceLength * 8L)
        {
            int count = (int)Math.Min(PieceLength * 8L, sectors - first);
            Span<byte> piece = bitmap.AsSpan(0, (count + 7) / 8);
            check.File.ReadZeroPadded(start + (first / 8), piece);
            for (int sector = 0; sector < count;)
            {
                int run = VhdSectorBitmap.RunLength(piece, sector, count - sector);
                if (!VhdSectorBitmap.IsSet(piece, sector) && FirstData(check, start + layout.BitmapBytes + ((first + sector) * VhdLimits.SectorSize), run, data, holes) is long found)
                {
                    return first + sector + found;
                }

                sector += run;
            }
        }

        return null;
    }

    /// <summary>The first of some sectors that is not zeros.</summary>
    private static long? FirstData(FileCheck check, long offset, int sectors, byte[] data, HoleFinder holes)
    {
        if (holes.IsHole(offset, (long)sectors * VhdLimits.SectorSize))
        {
            return null;
        }

        for (long done = 0; done < (long)sectors * VhdLimits.SectorSize; done += data.Length)
        {
            check.CancellationToken.ThrowIfCancellationRequested();
            Span<byte> piece = data.AsSpan(0, (int)Math.Min(data.Length, ((long)sectors * VhdLimits.SectorSize) - done));
            if (holes.IsHole(offset + done, piece.Length))
            {
                continue;
            }

            check.File.ReadZeroPadded(offset + done, piece);
            int at = SpanSearch.IndexOfNonzero(piece);
            if (at >= 0)
            {
                return (done + at) / VhdLimits.SectorSize;
            }
        }

        return null;
    }
}

using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Bitmaps;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>Counts what the persistent bitmaps refer to.</summary>
internal static class BitmapAudit
{
    private const int PieceEntries = 64 * 1024;

    /// <summary>Examines the directory and every table.</summary>
    /// <returns>False if the directory cannot be read, so that nobody knows which clusters belong to bitmaps.</returns>
    internal static bool Run(AuditContext context, CancellationToken cancellationToken)
    {
        BitmapsExtension? extension = context.Header.Extension<BitmapsExtension>();
        if (extension is null || !context.Header.Has(AutoclearFeatures.Bitmaps))
        {
            return true;
        }

        IReadOnlyList<BitmapDirectoryEntry> bitmaps;
        try
        {
            bitmaps = BitmapDirectory.Load(context.Image, context.Header);
        }
        catch (Qcow2Exception e)
        {
            Report(context, -1, Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.BitmapDirectoryDamaged, (long)extension.DirectoryOffset, e.Message);
            return false;
        }

        Use(context, -1, (long)extension.DirectoryOffset, (long)extension.DirectorySize, "the bitmap directory");
        var ranges = new List<(long Start, long End)>();
        for (int i = 0; i < bitmaps.Count; i++)
        {
            NoteIfInconsistent(context, i, bitmaps[i], (long)extension.DirectoryOffset);
            long length = (long)bitmaps[i].TableSize * BitmapTableEntry.Length;
            if (Use(context, i, bitmaps[i].TableOffset, length, $"the table of bitmap '{PrintableText.Of(bitmaps[i].Name)}'"))
            {
                ranges.Add((bitmaps[i].TableOffset, bitmaps[i].TableOffset + length));
            }
        }

        var holes = new HoleFinder(context.Image, context.IsSparse);
        ulong[] entries = new ulong[PieceEntries];
        foreach (WeightedRange range in WeightedRanges.Sweep(ranges))
        {
            for (long position = range.Start; position < range.End; position += (long)PieceEntries * BitmapTableEntry.Length)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int count = (int)Math.Min(PieceEntries, (range.End - position) / BitmapTableEntry.Length);
                if (!holes.IsHole(position, (long)count * BitmapTableEntry.Length))
                {
                    BigEndianTable.Read(context.Image, position, entries.AsSpan(0, count));
                    Examine(context, entries.AsSpan(0, count), position, range.Weight);
                }
            }
        }

        return true;
    }

    private static void Examine(AuditContext context, ReadOnlySpan<ulong> entries, long position, long weight)
    {
        int clusterSize = context.Geometry.ClusterSize;
        for (int i = 0; i < entries.Length; i++)
        {
            var entry = new BitmapTableEntry(entries[i]);
            if (entry.Value == 0)
            {
                continue;
            }

            long at = position + ((long)i * BitmapTableEntry.Length);
            if (entry.ReservedBits != 0)
            {
                Report(context, at, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.ReservedBits, at,
                    $"Bits 0x{entry.ReservedBits:x} of the bitmap table entry at 0x{at:x} are reserved and must be 0.", weight);
                context.Keep(entry.Offset, clusterSize);
            }
            else if (!context.Geometry.IsClusterAligned(entry.Offset))
            {
                Report(context, at, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.Misaligned, at,
                    $"The bitmap data at 0x{entry.Offset:x} (entry at 0x{at:x}) does not start where a cluster starts.", weight);
                context.Keep(entry.Offset, clusterSize);
            }
            else if (entry.IsUsed && context.IsInFile(entry.Offset, clusterSize))
            {
                context.Refer(entry.Offset, clusterSize, weight);
                context.Tail.Need(entry.Offset + clusterSize);
                if (context.IsShared(entry.Offset, clusterSize, weight))
                {
                    Report(context, at, Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.MetadataOverlap, at,
                        $"The bitmap data at 0x{entry.Offset:x} (entry at 0x{at:x}) lies where something else lies, which would be overwritten when the bitmap is saved.", weight);
                }
            }
            else if (entry.IsUsed)
            {
                context.NotePastEnd(entry.Offset, clusterSize);
                Report(context, at, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.PastEndOfFile, at,
                    $"The bitmap data at 0x{entry.Offset:x} (entry at 0x{at:x}) lies past the end of the file at 0x{context.FileLength:x}.", weight);
            }
        }
    }

    private static void NoteIfInconsistent(AuditContext context, int index, BitmapDirectoryEntry bitmap, long directory)
    {
        if ((bitmap.Flags & BitmapFlags.InUse) == 0)
        {
            return;
        }

        context.HasInconsistentBitmaps = true;
        context.Log.Add(CheckStage.Bitmaps.At(index, (int)Qcow2CheckFindingKind.BitmapInconsistent), Qcow2CheckSeverity.Information, 1, () => new Qcow2CheckFinding
        {
            Kind = Qcow2CheckFindingKind.BitmapInconsistent,
            Offset = directory,
            Cluster = directory >> context.Geometry.ClusterBits,
            Table = "Bitmaps",
            Message = $"The bitmap '{PrintableText.Of(bitmap.Name)}' was not saved when the image was last closed: what it says is outdated, and it can only be removed "
                + "(Remove-Qcow2Bitmap, or Repair-Qcow2Image -Mode All).",
        });
    }

    private static bool Use(AuditContext context, int index, long offset, long length, string name)
    {
        bool isInFile = context.UseMetadata(CheckStage.Bitmaps.At(index), offset, offset, length, name);
        context.HasDamagedBitmaps |= !isInFile;
        return isInFile;
    }

    private static void Report(
        AuditContext context, long major, Qcow2CheckSeverity severity, Qcow2CheckFindingKind kind, long position, string message, long weight = 1)
    {
        context.HasDamagedBitmaps = true;
        context.Log.Add(CheckStage.Bitmaps.At(major, (int)kind), severity, weight, () => new Qcow2CheckFinding
        {
            Kind = kind,
            Offset = position,
            Cluster = position >> context.Geometry.ClusterBits,
            Table = "Bitmaps",
            Message = message,
        });
    }
}

using System.Buffers.Binary;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Parallels.Checking;

/// <summary>Checks an expanding disk of Parallels. Nothing but a file that is none is thrown.</summary>
internal static class ParallelsChecker
{
    private const string Header = "Header";
    private const string Table = "Block table";
    private const int SectorSize = 512;
    private const int InUseField = 44;
    private const int DataField = 48;
    private const int ExtensionField = 56;

    /// <exception cref="Qcow2Exception">The file is no such disk.</exception>
    internal static Qcow2CheckResult Run(FileCheck check)
    {
        if (check.TryLoad(ParallelsHeader.Load, Header) is not ParallelsHeader header)
        {
            return check.ToResult();
        }

        if (header.IsInUse)
        {
            check.IsDirty = true;
            check.Add(
                Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.MarkedDirty, InUseField, Header, "The disk is in use, or was not closed, so that its block table may lack what was written last.");
        }

        ExamineTable(check, header);
        if (check.Options.ReadData)
        {
            using var disk = ParallelsDisk.Open(new BorrowedStorage(check.File));
            DiskDataAudit.Run(disk, check);
        }

        return check.ToResult();
    }

    private static void ExamineTable(FileCheck check, ParallelsHeader header)
    {
        var space = new BlockSpace(check, SectorSize);
        long blocks = (header.Size / header.BlockSize) + (header.Size % header.BlockSize != 0 ? 1 : 0);
        long next = -1;
        check.TotalBlocks = blocks;
        space.TryTake(0, Math.Max(header.TableEnd, Field32(check.File, DataField) * (long)SectorSize));
        check.JudgeTables(0, Table, header.EntryCount * sizeof(uint), space.FileLength);
        if (header.EntryCount > blocks)
        {
            check.Add(
                Qcow2CheckSeverity.Information, Qcow2CheckFindingKind.TableSizeWrong, 32, Header, $"The block table has {header.EntryCount} entries, and the disk needs {blocks}.", (ulong)blocks, (ulong)header.EntryCount);
        }

        TableScan.Run(check.File, ParallelsHeader.Length, blocks * sizeof(uint), skipsHoles: true, Look, check.CancellationToken);

        // An extension (bitmaps, for one) has blocks of its own, that are not looked at.
        if (Field32(check.File, ExtensionField) == 0 && Field32(check.File, ExtensionField + sizeof(uint)) == 0)
        {
            space.ReportUnused(header.BlockSize);
        }

        void Look(long position, ReadOnlySpan<byte> entries)
        {
            check.Report(position, blocks * sizeof(uint));
            for (int i = 0; i <= entries.Length - sizeof(uint); i += sizeof(uint))
            {
                uint entry = BinaryPrimitives.ReadUInt32LittleEndian(entries.Slice(i));
                if (entry != 0)
                {
                    Examine((position + i) / sizeof(uint), entry * header.EntrySize, ParallelsHeader.Length + position + i);
                }
            }
        }

        void Examine(long block, long place, long at)
        {
            long needed = Math.Min(header.BlockSize, header.Size - (block * header.BlockSize));
            if (place > space.FileLength - needed)
            {
                bool isCut = place < space.FileLength;
                Add(check, isCut ? Qcow2CheckFindingKind.FileCutOff : Qcow2CheckFindingKind.PastEndOfFile, block, place, at, isCut ? "is cut off by the end of the file" : "lies past the end of the file");
                return;
            }

            if (place < header.TableEnd)
            {
                Add(check, Qcow2CheckFindingKind.MetadataOverlap, block, place, at, "lies on the header or the block table");
                return;
            }

            check.AllocatedBlocks++;
            check.FragmentedBlocks += next >= 0 && next != place ? 1 : 0;
            next = place + header.BlockSize;
            if (!space.TryTake(place, needed))
            {
                Add(check, Qcow2CheckFindingKind.BlockOverlap, block, place, at, "lies where another block lies, too");
            }
            else
            {
                space.TryTake(place + needed, header.BlockSize - needed);
            }
        }
    }

    private static void Add(FileCheck check, Qcow2CheckFindingKind kind, long block, long place, long at, string what)
        => check.Add(Qcow2CheckSeverity.Corruption, kind, at, Table, () => $"Block {block} of the disk, at 0x{place:x} of the file, {what}.", null, (ulong)place);

    private static uint Field32(BlockStorage file, int at)
    {
        byte[] field = new byte[sizeof(uint)];
        file.ReadZeroPadded(at, field);
        return BinaryPrimitives.ReadUInt32LittleEndian(field);
    }
}

using System.Buffers.Binary;
using Qcow2.Engine.Disks.Checking;

namespace Qcow2.Engine.Formats.Vhd.Checking;

/// <summary>
/// Looks at every entry of the block allocation table: where its block lies, what else lies there, and what of the file nothing lies in.
/// </summary>
/// <remarks>Takes eight bytes of memory for each block that lies in the file, of which a table can have 16,777,216: they are sorted by their places.</remarks>
internal sealed class VhdBlockAudit(FileCheck check, VhdLayout layout)
{
    private const string Table = "Block allocation table";

    /// <summary>Sector and number of each block that lies in the file, in the order of the table.</summary>
    private readonly List<ulong> _blocks = [];

    /// <summary>Runs the audit.</summary>
    /// <returns>The blocks that lie in the file and not on its headers: the sector above, the number below.</returns>
    internal IReadOnlyList<ulong> Run()
    {
        long length = layout.UsedEntries * sizeof(uint);
        long last = 0;
        if (layout.Header!.TableOffset <= (ulong)layout.DataEnd)
        {
            TableScan.Run(check.File, (long)layout.Header.TableOffset, length, skipsHoles: false, Look, check.CancellationToken);
        }

        check.TotalBlocks = layout.BlockCount;
        check.AllocatedBlocks = _blocks.Count;
        _blocks.Sort();
        FindOverlaps();
        return _blocks;

        void Look(long position, ReadOnlySpan<byte> entries)
        {
            check.Report(position, length);
            for (int i = 0; i <= entries.Length - sizeof(uint); i += sizeof(uint))
            {
                uint entry = BinaryPrimitives.ReadUInt32BigEndian(entries.Slice(i));
                if (entry == VhdBlockTable.Unused)
                {
                    continue;
                }

                uint block = (uint)((position + i) / sizeof(uint));
                long start = (long)entry * VhdLimits.SectorSize;
                if (IsPossible(block, entry, start))
                {
                    _blocks.Add(((ulong)entry << 32) | block);
                    check.FragmentedBlocks += _blocks.Count > 1 && start != last ? 1 : 0;
                    last = start + layout.BitmapBytes + layout.BlockSize;
                }
            }
        }
    }

    private bool IsPossible(uint block, uint entry, long start)
    {
        long span = layout.BitmapBytes + layout.DataBytes(block);
        long place = (long)layout.Header!.TableOffset + ((long)block * sizeof(uint));
        if (start > layout.DataEnd - span)
        {
            AddPastEnd(block, entry, place, start, span);
            return false;
        }

        var range = new DiskRange(start, span);
        foreach ((DiskRange other, string name) in layout.Reserved)
        {
            if (VhdStructure.Overlap(range, other))
            {
                AddOverlap(block, entry, place, start, $"{name} at 0x{other.Offset:x}");
                return false;
            }
        }

        return true;
    }

    // Sentences are made apart from where they are needed: there may be millions of entries, and hardly any has one.
    private void AddPastEnd(uint block, uint entry, long place, long start, long span)
    {
        bool isCut = start < layout.DataEnd;
        check.Add(
            Qcow2CheckSeverity.Corruption, isCut ? Qcow2CheckFindingKind.FileCutOff : Qcow2CheckFindingKind.PastEndOfFile, place, Table,
            () => $"Block {block} of the disk, by its entry {entry}, lies at 0x{start:x} and takes {span} bytes; data end at 0x{layout.DataEnd:x}{(isCut ? ", so that its end is missing" : "")}.",
            (ulong)layout.DataEnd, (ulong)(start + span));
    }

    private void AddOverlap(uint block, uint entry, long place, long start, string what)
        => check.Add(
            Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.MetadataOverlap, place, Table, () => $"Block {block} of the disk, by its entry {entry}, lies at 0x{start:x}, on {what}.", null, entry);

    private void FindOverlaps()
    {
        long full = layout.BitmapBytes + layout.BlockSize;
        long end = layout.Reserved.Max(part => part.Range.End);
        long covered = end;
        uint owner = 0;
        bool hasOwner = false;
        check.EndOffset = Math.Min(end, layout.DataEnd);
        foreach (ulong key in _blocks)
        {
            long start = (long)(key >> 32) * VhdLimits.SectorSize;
            uint block = (uint)key;
            if (hasOwner && start < end)
            {
                uint other = owner;
                check.Add(
                    Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.BlockOverlap, (long)layout.Header!.TableOffset + ((long)block * sizeof(uint)), Table,
                    () => $"Blocks {other} and {block} of the disk overlap at 0x{start:x} of the file: one of them shows data of the other.", null, key >> 32);
            }

            AddGap(covered, start, full);
            long blockEnd = start + layout.BitmapBytes + layout.DataBytes(block);
            if (!hasOwner || blockEnd > end)
            {
                (end, owner, hasOwner) = (blockEnd, block, true);
            }

            covered = Math.Max(covered, start + full);
            check.EndOffset = Math.Max(check.EndOffset, Math.Min(start + full, layout.DataEnd));
        }

        AddGap(covered, layout.DataEnd, full);
    }

    /// <summary>Writers align headers and blocks; what is less than a block is that.</summary>
    private void AddGap(long from, long to, long full)
    {
        if (to - from >= full)
        {
            check.AddUnused(Qcow2CheckSeverity.Leak, from, to - from, full);
        }
    }
}

using System.Buffers.Binary;
using Qcow2.Engine.Disks.Checking;

namespace Qcow2.Engine.Formats.Vdi.Checking;

/// <summary>Looks at every entry of the block map, at the count of allocated blocks, and for blocks of the file that no entry leads to.</summary>
/// <remarks>Blocks lie in places of one size, so a bit for each place of the file tells whether two entries share one.</remarks>
internal sealed class VdiMapAudit(FileCheck check, VdiHeader header)
{
    private const string Table = "Block map";
    private const int CountField = 388;

    private readonly long _stride = header.BlockSize + header.ExtraSize;
    private readonly long _needed = (header.DiskSize / header.BlockSize) + (header.DiskSize % header.BlockSize != 0 ? 1 : 0);

    /// <summary>Asked once: the host takes longer to say it than an entry takes to be looked at.</summary>
    private readonly long _fileLength = check.File.Length;

    private long _allocated;
    private long _next;

    internal void Run()
    {
        check.TotalBlocks = _needed;
        check.EndOffset = header.MapOffset + (_needed * sizeof(uint));
        check.JudgeTables(header.MapOffset, Table, header.BlockCount * sizeof(uint), _fileLength);
        long places = Math.Max(0, _fileLength - header.DataOffset + _stride - 1) / _stride;
        if (places > SpaceMap.MaxUnits)
        {
            check.Add(
                Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.FileTooLarge, 0, "File", $"The file has room for {places} blocks; no more than {SpaceMap.MaxUnits} can be checked.",
                (ulong)SpaceMap.MaxUnits, (ulong)places);
            return;
        }

        var map = new SpaceMap(places);
        TableScan.Run(check.File, header.MapOffset, EntriesToLookAt() * sizeof(uint), skipsHoles: false, Look, check.CancellationToken);
        check.AllocatedBlocks = _allocated;
        CompareCount();
        FindUnused(map);

        void Look(long position, ReadOnlySpan<byte> entries)
        {
            check.Report(position, header.BlockCount * sizeof(uint));
            for (int i = 0; i <= entries.Length - sizeof(uint); i += sizeof(uint))
            {
                uint entry = BinaryPrimitives.ReadUInt32LittleEndian(entries.Slice(i));
                if (entry < VdiDisk.Zero)
                {
                    Examine((position + i) / sizeof(uint), entry, map);
                }
            }
        }
    }

    /// <summary>Entries beyond those of the disk count as QEMU counts them, as far as they are no data already.</summary>
    private long EntriesToLookAt()
    {
        long room = (header.DataOffset - header.MapOffset) / sizeof(uint);
        if (header.BlockCount == _needed)
        {
            return _needed;
        }

        check.Add(
            header.BlockCount > room ? Qcow2CheckSeverity.Warning : Qcow2CheckSeverity.Information, Qcow2CheckFindingKind.TableSizeWrong, 384, "Header",
            $"The block map has {header.BlockCount} entries, and the disk needs {_needed}{(header.BlockCount > room ? ": the last of them lie where data begin" : "")}.", (ulong)_needed, (ulong)header.BlockCount);
        return Math.Min(header.BlockCount, room);
    }

    private void Examine(long block, uint entry, SpaceMap map)
    {
        long start = header.DataOffset + (entry * _stride);
        long place = header.MapOffset + (block * sizeof(uint));
        long needed = header.ExtraSize + (block < _needed ? Math.Min(header.BlockSize, header.DiskSize - (block * header.BlockSize)) : 0);
        if (entry >= header.BlockCount || start > _fileLength - needed)
        {
            AddPastEnd(block, entry, place, start, needed);
            if (entry >= header.BlockCount)
            {
                return; // QEMU counts those that have a number.
            }
        }

        check.FragmentedBlocks += _allocated > 0 && entry != _next ? 1 : 0;
        _next = entry + 1L;
        _allocated++;
        if (start >= _fileLength)
        {
            return;
        }

        check.EndOffset = Math.Max(check.EndOffset, Math.Min(_fileLength, start + _stride));
        if (!map.TryTake(entry, 1))
        {
            AddShared(block, entry, place, start);
        }
    }

    // Sentences are made apart from where they are needed: there may be millions of entries, and hardly any has one.
    private void AddPastEnd(long block, uint entry, long place, long start, long needed)
    {
        bool isCut = entry < header.BlockCount && start < _fileLength;
        check.Add(
            Qcow2CheckSeverity.Corruption, isCut ? Qcow2CheckFindingKind.FileCutOff : Qcow2CheckFindingKind.PastEndOfFile, place, Table,
            () => $"Block {block} of the disk is said to be number {entry} in the file, at 0x{start:x}; the file has room for {header.BlockCount} blocks and ends at 0x{_fileLength:x}{(isCut ? ", so that its end is missing" : "")}.",
            (ulong)_fileLength, (ulong)start + (ulong)needed);
    }

    private void AddShared(long block, uint entry, long place, long start)
        => check.Add(
            Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.BlockOverlap, place, Table,
            () => $"Block {block} of the disk is said to be number {entry} in the file, at 0x{start:x}, where another block of the disk lies, too: one of them shows data of the other.", null, entry);

    private void CompareCount()
    {
        if (header.AllocatedBlocks != _allocated)
        {
            check.Add(
                Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.CountWrong, CountField, "Header",
                $"The header says that {header.AllocatedBlocks} blocks are allocated, and the block map has {_allocated}: the next block that is written may be put on another.",
                (ulong)_allocated, (ulong)header.AllocatedBlocks);
        }
    }

    private void FindUnused(SpaceMap map)
    {
        foreach ((long first, long count) in map.Free())
        {
            long start = header.DataOffset + (first * _stride);
            long length = Math.Min(_fileLength - start, count * _stride);
            if (length >= _stride)
            {
                check.AddUnused(Qcow2CheckSeverity.Leak, start, length, _stride);
            }
        }
    }
}

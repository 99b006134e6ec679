using System.Buffers.Binary;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx.Checking;

/// <summary>Looks at every entry of the block allocation table: its state, where its block or bitmap lies, and what else lies there.</summary>
/// <remarks>
/// Everything lies at whole MiB, so a bit for each MiB of the file tells whether two things share one. The table is read a page at a time, and holes of it,
/// which are blocks that are not there, are not.
/// </remarks>
internal sealed class VhdxBlockAudit
{
    private const string Table = "Block allocation table";
    private const int EntryLength = sizeof(ulong);
    private const int OffsetShift = 20;
    private const ulong ReservedBits = 0xf_fff8;

    private readonly FileCheck _check;
    private readonly BlockStorage _storage;
    private readonly VhdxRegion _table;
    private readonly VhdxMetadata _metadata;
    private readonly IReadOnlyList<VhdxRegion> _reserved;
    private readonly long _chunkRatio;
    private readonly long _blockCount;

    /// <summary>Asked once: the host takes longer to say it than an entry takes to be looked at.</summary>
    private readonly long _fileLength;

    /// <summary>What the disk lies in.</summary>
    private readonly SpaceMap? _used;

    /// <summary>What is kept for blocks that are not there now. Others may take it, so that it is no overlap.</summary>
    private readonly SpaceMap? _kept;

    private long _lastEnd = -1;

    /// <summary>The chunk whose bitmap is needed, and a block of it that needs it.</summary>
    private long _partialChunk = -1;
    private long _partialBlock;
    private long _lastBitmapChunk = -1;

    /// <param name="check">Told what was found.</param>
    /// <param name="storage">The file, with what its log holds.</param>
    /// <param name="table">Where the table lies.</param>
    /// <param name="metadata">What the disk is.</param>
    /// <param name="reserved">Parts of the file that are no blocks.</param>
    internal VhdxBlockAudit(FileCheck check, BlockStorage storage, VhdxRegion table, VhdxMetadata metadata, IReadOnlyList<VhdxRegion> reserved)
    {
        _check = check;
        _storage = storage;
        _fileLength = storage.Length;
        _table = table;
        _metadata = metadata;
        _reserved = reserved;
        _chunkRatio = VhdxLimits.ChunkRatioOf(metadata.LogicalSectorSize, metadata.BlockSize);
        _blockCount = DivideUp(metadata.DiskSize, metadata.BlockSize);
        long units = DivideUp(storage.Length, VhdxLimits.MiB);
        if (units <= SpaceMap.MaxUnits)
        {
            _used = new SpaceMap(units);
            _kept = new SpaceMap(units);
        }
    }

    internal void Run()
    {
        _check.TotalBlocks = _blockCount;
        long chunks = DivideUp(_blockCount, _chunkRatio);
        long entries = _metadata.HasParent ? chunks * (_chunkRatio + 1) : _blockCount + ((_blockCount - 1) / _chunkRatio);
        long room = _table.Length / EntryLength;
        if (entries > room)
        {
            _check.Add(
                Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.TableSizeWrong, _table.Offset, Table,
                $"The block allocation table has room for {room} entries, and the disk needs {entries}: the last blocks have none.", (ulong)entries, (ulong)room);
        }

        if (_used is null)
        {
            _check.Add(
                Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.FileTooLarge, 0, "File", $"The file has {_fileLength} bytes; what overlaps can be looked for in {SpaceMap.MaxUnits} MiB.");
        }

        foreach (VhdxRegion region in _reserved)
        {
            _used?.TryTake(region.Offset / VhdxLimits.MiB, region.Length / VhdxLimits.MiB);
            _check.EndOffset = Math.Max(_check.EndOffset, Math.Min(region.End, _fileLength));
        }

        long length = Math.Min(entries, room) * EntryLength;
        _check.JudgeTables(_table.Offset, Table, _table.Length, _fileLength);
        TableScan.Run(_storage, _table.Offset, length, skipsHoles: true, Look, _check.CancellationToken);
        FinishChunk(-1);
        FindUnused();

        void Look(long position, ReadOnlySpan<byte> page)
        {
            _check.Report(position, length);
            for (int i = 0; i <= page.Length - EntryLength; i += EntryLength)
            {
                ulong entry = BinaryPrimitives.ReadUInt64LittleEndian(page.Slice(i));
                if (entry != 0)
                {
                    Examine((position + i) / EntryLength, entry);
                }
            }
        }
    }

    private void Examine(long index, ulong entry)
    {
        long chunk = index / (_chunkRatio + 1);
        long inChunk = index % (_chunkRatio + 1);
        FinishChunk(chunk);
        if ((entry & ReservedBits) != 0)
        {
            AddReserved(index, entry);
            return;
        }

        int state = (int)(entry & 7);
        long offset = (long)(entry >> OffsetShift) << OffsetShift;
        if (inChunk == _chunkRatio)
        {
            ExamineBitmap(index, chunk, state, offset);
        }
        else if ((chunk * _chunkRatio) + inChunk is long block && block < _blockCount)
        {
            ExamineBlock(index, block, state, offset);
        }
    }

    private void ExamineBlock(long index, long block, int state, long offset)
    {
        switch (state)
        {
            case (int)VhdxBlockState.FullyPresent:
            case (int)VhdxBlockState.PartiallyPresent when _metadata.HasParent:
                break;
            case 4 or 5 or (int)VhdxBlockState.PartiallyPresent:
                AddState(index, state);
                return;
            case (int)VhdxBlockState.Undefined or (int)VhdxBlockState.Unmapped:
                if (offset > 0)
                {
                    _kept?.TryTake(offset / VhdxLimits.MiB, _metadata.BlockSize / VhdxLimits.MiB);
                }

                return;
            default:
                return;
        }

        if (state == (int)VhdxBlockState.PartiallyPresent && _partialChunk < 0)
        {
            _partialChunk = block / _chunkRatio;
            _partialBlock = block;
        }

        _check.FragmentedBlocks += _lastEnd >= 0 && offset != _lastEnd ? 1 : 0;
        _lastEnd = offset + _metadata.BlockSize;
        _check.AllocatedBlocks++;
        Place(index, offset, _metadata.BlockSize, Math.Min(_metadata.BlockSize, _metadata.DiskSize - (block * _metadata.BlockSize)));
    }

    private void ExamineBitmap(long index, long chunk, int state, long offset)
    {
        if (state == (int)VhdxBlockState.FullyPresent && _metadata.HasParent)
        {
            _lastBitmapChunk = chunk;
            Place(index, offset, VhdxLimits.MiB, VhdxLimits.MiB);
        }
        else if (state != 0)
        {
            // Of a disk without a parent nobody looks at bitmaps.
            _check.Add(
                _metadata.HasParent ? Qcow2CheckSeverity.Corruption : Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.EntryInvalid, PlaceOf(index), Table,
                () => $"The bitmap of the sectors of the blocks from {chunk * _chunkRatio} on has the state {state}, {(_metadata.HasParent ? "where 0 (none) or 6 (there) are possible" : "and the disk has no parent that sectors could be in")}.", null, (ulong)state);
        }
    }

    /// <summary>The entry of a chunk's bitmap follows those of its blocks: when another chunk comes, it was there or not.</summary>
    private void FinishChunk(long next)
    {
        if (_partialChunk < 0 || _partialChunk == next)
        {
            return;
        }

        if (_lastBitmapChunk != _partialChunk)
        {
            long block = _partialBlock;
            Add(
                Qcow2CheckFindingKind.SectorBitmapMissing, (_partialChunk * (_chunkRatio + 1)) + _chunkRatio,
                () => $"Block {block} is in part the parent's, and the bitmap that tells which of its sectors are is not there.", 0);
        }

        _partialChunk = -1;
    }

    private void Place(long index, long offset, long length, long needed)
    {
        if (offset < 0 || offset > _fileLength - needed)
        {
            AddPastEnd(index, offset, needed);
            return;
        }

        foreach (VhdxRegion region in _reserved)
        {
            if (region.Overlaps(offset, needed))
            {
                AddOverlap(index, offset, region);
                return;
            }
        }

        _check.EndOffset = Math.Max(_check.EndOffset, Math.Min(_fileLength, offset + length));
        if (_used?.TryTake(offset / VhdxLimits.MiB, length / VhdxLimits.MiB) == false)
        {
            AddShared(index, offset);
        }
    }

    // Sentences are made apart from where they are needed: there are millions of entries, and hardly any has one.
    private void AddPastEnd(long index, long offset, long needed)
    {
        bool isCut = offset >= 0 && offset < _fileLength;
        Add(
            isCut ? Qcow2CheckFindingKind.FileCutOff : Qcow2CheckFindingKind.PastEndOfFile, index,
            () => $"{NameOf(index)} lies at 0x{offset:x} and takes {needed} bytes; the file ends at 0x{_fileLength:x}{(isCut ? ", so that its end is missing" : "")}.", (ulong)offset);
    }

    private void AddOverlap(long index, long offset, VhdxRegion region)
        => Add(Qcow2CheckFindingKind.MetadataOverlap, index, () => $"{NameOf(index)} at 0x{offset:x} lies on {region.Name} at 0x{region.Offset:x}.", (ulong)offset);

    private void AddShared(long index, long offset)
        => Add(
            Qcow2CheckFindingKind.BlockOverlap, index, () => $"{NameOf(index)} at 0x{offset:x} lies where another block or bitmap lies, too: one of them shows data of the other.", (ulong)offset);

    private void AddReserved(long index, ulong entry)
        => Add(Qcow2CheckFindingKind.ReservedBits, index, () => $"The entry {index} of the block allocation table, 0x{entry:x}, has bits set that are reserved.", entry);

    private void AddState(long index, int state)
        => Add(
            Qcow2CheckFindingKind.EntryInvalid, index,
            () => $"{NameOf(index)} has the state {state}, which {(state == (int)VhdxBlockState.PartiallyPresent ? "only a disk with a parent can have" : "does not exist")}.", (ulong)state);

    private string NameOf(long index)
    {
        long chunk = index / (_chunkRatio + 1);
        long inChunk = index % (_chunkRatio + 1);
        return inChunk == _chunkRatio ? $"The bitmap of the sectors of the blocks from {chunk * _chunkRatio} on" : $"Block {(chunk * _chunkRatio) + inChunk}";
    }

    /// <summary>
    /// Space that nothing refers to is no leak: who opens the file for writing finds from the table what is free, and uses it. It is there after blocks were
    /// given up, or because QEMU wrote the file.
    /// </summary>
    private void FindUnused()
    {
        if (_used is null)
        {
            return;
        }

        _used.Add(_kept!);
        foreach ((long first, long count) in _used.Free())
        {
            long length = Math.Min(_fileLength, (first + count) * VhdxLimits.MiB) - (first * VhdxLimits.MiB);
            if (length >= _metadata.BlockSize)
            {
                _check.AddUnused(Qcow2CheckSeverity.Information, first * VhdxLimits.MiB, length, _metadata.BlockSize);
            }
        }
    }

    private void Add(Qcow2CheckFindingKind kind, long index, Func<string> message, ulong found)
        => _check.Add(Qcow2CheckSeverity.Corruption, kind, PlaceOf(index), Table, message, null, found);

    private long PlaceOf(long index) => _table.Offset + (index * EntryLength);

    private static long DivideUp(long value, long unit) => (value + unit - 1) / unit;
}

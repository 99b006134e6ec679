using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>What a block of the disk is ([MS-VHDX] 2.5.1.1).</summary>
internal enum VhdxBlockState
{
    /// <summary>The parent's, or zeros.</summary>
    NotPresent = 0,

    /// <summary>Anything: nobody has relied on it. Read as zeros.</summary>
    Undefined = 1,

    /// <summary>Zeros, whatever the parent has.</summary>
    Zero = 2,

    /// <summary>Given up by the guest. Read as zeros.</summary>
    Unmapped = 3,

    /// <summary>In the file.</summary>
    FullyPresent = 6,

    /// <summary>In the file or the parent, sector by sector.</summary>
    PartiallyPresent = 7,
}

/// <summary>A block and where it lies.</summary>
/// <param name="State">What it is.</param>
/// <param name="FileOffset">Where it lies in the file, in bytes; of no meaning for what is not present.</param>
internal readonly record struct VhdxBlock(VhdxBlockState State, long FileOffset)
{
    /// <summary>Whether the file has at least some of it.</summary>
    internal bool IsInFile => State is VhdxBlockState.FullyPresent or VhdxBlockState.PartiallyPresent;
}

/// <summary>
/// The block allocation table ([MS-VHDX] 2.5): after each chunk's blocks follows an entry for the bitmap that tells of the chunk's
/// sectors. A table may have half a GiB, of which little is kept.
/// </summary>
internal sealed class VhdxBlockTable
{
    private const int EntryLength = sizeof(ulong);

    /// <summary>As it was when the file was opened: the host is not asked for it at each entry. What is missing since is found when it is read.</summary>
    private readonly long _fileLength;
    private readonly VhdxRegion[] _reserved;
    private readonly VhdxRegion _region;
    private readonly VhdxMetadata _metadata;
    private readonly TablePages _pages;

    /// <summary>Prepares the table of a disk.</summary>
    /// <param name="storage">The file, with what its log holds.</param>
    /// <param name="region">Where the table lies.</param>
    /// <param name="metadata">What the disk is.</param>
    /// <param name="reserved">Stretches of the file in which no block can lie.</param>
    /// <exception cref="Qcow2Exception">The disk has more blocks than the table has entries.</exception>
    internal VhdxBlockTable(BlockStorage storage, VhdxRegion region, VhdxMetadata metadata, IEnumerable<VhdxRegion> reserved)
    {
        _fileLength = storage.Length;
        _pages = new TablePages(storage);
        _region = region;
        _metadata = metadata;
        _reserved = [.. reserved];
        ChunkRatio = VhdxLimits.ChunkRatioOf(metadata.LogicalSectorSize, metadata.BlockSize);
        BlockCount = DivideUp(metadata.DiskSize, metadata.BlockSize);
        EntryCount = metadata.HasParent ? DivideUp(BlockCount, ChunkRatio) * (ChunkRatio + 1) : BlockCount + ((BlockCount - 1) / ChunkRatio);
        if (EntryCount > region.Length / EntryLength)
        {
            throw Qcow2Errors.Corrupt($"The block allocation table of the VHDX file has room for {region.Length / EntryLength} entries; the disk needs {EntryCount}.");
        }
    }

    /// <summary>Blocks that one bitmap tells of.</summary>
    internal long ChunkRatio { get; }

    internal long BlockCount { get; }

    internal long EntryCount { get; }

    /// <summary>The entry of a block.</summary>
    internal long EntryOf(long block) => block + (block / ChunkRatio);

    /// <summary>The entry of the bitmap that tells of a block.</summary>
    internal long BitmapEntryOf(long block) => ((block / ChunkRatio) * (ChunkRatio + 1)) + ChunkRatio;

    /// <summary>Finds a block.</summary>
    /// <exception cref="Qcow2Exception">Its entry is not possible.</exception>
    internal VhdxBlock Block(long block)
    {
        (int state, long offset) = Entry(EntryOf(block), $"block {block}");
        bool isKnown = state is >= 0 and <= 3 or 6 or 7;
        if (!isKnown || (state == 7 && !_metadata.HasParent))
        {
            throw Qcow2Errors.Corrupt(
                $"Block {block} of the VHDX file has the state {state}, which {(isKnown ? "only a disk with a parent can have" : "does not exist")}.");
        }

        var found = new VhdxBlock((VhdxBlockState)state, offset);
        if (found.IsInFile)
        {
            // Of the last block only what the disk has must be there.
            CheckPlace(offset, Math.Min(_metadata.BlockSize, _metadata.DiskSize - (block * _metadata.BlockSize)), $"block {block}");
        }

        return found;
    }

    /// <summary>Where the bitmap lies that tells of a block.</summary>
    /// <exception cref="Qcow2Exception">There is none.</exception>
    internal long BitmapOf(long block)
    {
        string name = $"the bitmap of the sectors of block {block}";
        (int state, long offset) = Entry(BitmapEntryOf(block), name);
        if (state != (int)VhdxBlockState.FullyPresent)
        {
            throw Qcow2Errors.Corrupt($"Block {block} of the VHDX file is in part the parent's, and {name} is not there (state {state}).");
        }

        CheckPlace(offset, VhdxLimits.MiB, name);
        return offset;
    }

    private (int State, long Offset) Entry(long index, string name)
    {
        ulong entry = _pages.ReadUInt64(_region.Offset + (index * EntryLength));
        return ((entry >> 3) & 0x1_ffff) == 0
            ? ((int)(entry & 7), (long)(entry >> 20) << 20)
            : throw Qcow2Errors.Corrupt($"The entry of {name} in the block allocation table, 0x{entry:x}, has bits set that are reserved.");
    }

    private void CheckPlace(long offset, long length, string name)
    {
        if (offset < 0 || offset > _fileLength - length)
        {
            throw Qcow2Errors.PastEnd($"In the VHDX file, {name}", (ulong)offset, (ulong)length, _fileLength);
        }

        foreach (VhdxRegion region in _reserved)
        {
            if (region.Overlaps(offset, length))
            {
                throw Qcow2Errors.Corrupt($"In the VHDX file, {name} at 0x{offset:x} lies on {region.Name}.");
            }
        }
    }

    private static long DivideUp(long value, long unit) => (value + unit - 1) / unit;
}

using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks;

/// <summary>
/// A disk of which a file has blocks, and a map that says which and where. What is common to the formats that do it so; each knows how its map
/// is read (<see cref="Locate"/>).
/// </summary>
internal abstract class SparseDisk : VirtualDisk
{
    private protected SparseDisk(BlockStorage file, long length, long blockSize, VirtualDisk? backing)
    {
        File = file;
        Length = length;
        BlockSize = blockSize;
        Backing = backing;
    }

    /// <inheritdoc/>
    public override string Path => File.Path;

    /// <inheritdoc/>
    public override long Length { get; }

    /// <inheritdoc/>
    public override VirtualDisk? Backing { get; }

    /// <summary>The file, which the disk owns.</summary>
    protected BlockStorage File { get; }

    /// <summary>Unit of allocation, in bytes.</summary>
    protected long BlockSize { get; }

    /// <summary>What the map says of a block.</summary>
    /// <exception cref="Qcow2Exception">What it says is not possible.</exception>
    private protected abstract BlockPlace Locate(long block);

    /// <summary>The content of a whole compressed block, which nobody may write into.</summary>
    private protected virtual byte[] Decompress(long block, BlockPlace place) => throw new NotSupportedException("The format has no compressed blocks.");

    /// <summary>Reads data of blocks that are not compressed.</summary>
    /// <param name="fileOffset">Where it lies in the file.</param>
    /// <param name="offset">Where it lies on the disk.</param>
    /// <param name="buffer">Where it goes.</param>
    private protected virtual void ReadData(long fileOffset, long offset, Span<byte> buffer) => File.ReadZeroPadded(fileOffset, buffer);

    /// <summary>The place of a block's data, if the file has all of it that the disk has.</summary>
    /// <param name="block">The block.</param>
    /// <param name="offset">Where the map says that it lies.</param>
    /// <param name="first">Where blocks can lie at the earliest.</param>
    /// <exception cref="Qcow2Exception">The file has not.</exception>
    private protected BlockPlace DataAt(long block, long offset, long first)
    {
        long needed = Math.Min(BlockSize, Length - (block * BlockSize));
        return offset >= first && offset <= File.Length - needed
            ? new BlockPlace(ExtentKind.Data, offset)
            : throw Qcow2Errors.Corrupt($"Block {block} of {BlockSize} bytes is said to lie at 0x{offset:x}; the file has room for data between 0x{first:x} and its end at 0x{File.Length:x}.");
    }

    /// <inheritdoc/>
    protected internal override void ReadCore(long offset, Span<byte> buffer)
    {
        try
        {
            while (!buffer.IsEmpty)
            {
                Stretch stretch = Find(offset, buffer.Length);
                Span<byte> part = buffer.Slice(0, (int)stretch.Length);
                ReadStretch(stretch, offset, part);
                offset += part.Length;
                buffer = buffer.Slice(part.Length);
            }
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }

    /// <inheritdoc/>
    protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
    {
        long end = offset + length;
        var parts = new FileExtents(File);
        while (offset < end)
        {
            Stretch stretch = FindForExtents(offset, end - offset);
            IEnumerable<DiskExtent> extents = stretch.Place switch
            {
                { Kind: ExtentKind.Unallocated } => BackingExtents(offset, stretch.Length, depth),
                { Kind: ExtentKind.Data, CompressedLength: 0 } => parts.Of(stretch.Place.FileOffset + stretch.InBlock, offset, stretch.Length, depth),
                _ => [new DiskExtent(offset, stretch.Length, stretch.Place.Kind, depth, Path, null, stretch.Place.CompressedLength > 0)],
            };
            foreach (DiskExtent extent in extents)
            {
                yield return extent;
            }

            offset += stretch.Length;
        }
    }

    /// <inheritdoc/>
    protected internal override long DamageEnd(long offset)
    {
        try
        {
            BlockPlace place = Find(offset, 1).Place;
            return place switch
            {
                { Kind: ExtentKind.Unallocated } when Backing is VirtualDisk backing && offset < backing.Length => backing.DamageEnd(offset),
                { CompressedLength: > 0 } => BlockEnd(offset),
                _ => base.DamageEnd(offset),
            };
        }
        catch (Exception e) when (e is Qcow2Exception or IOException)
        {
            return BlockEnd(offset);
        }
    }

    /// <inheritdoc/>
    protected internal override bool ReadsFrom(FileIdentity file) => File.Identity.IsProvenSameAs(file) || base.ReadsFrom(file);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            File.Dispose();
            Backing?.Dispose();
        }

        base.Dispose(disposing);
    }

    private long BlockEnd(long offset) => ((offset / BlockSize) + 1) * BlockSize;

    private void ReadStretch(Stretch stretch, long offset, Span<byte> part)
    {
        switch (stretch.Place.Kind)
        {
            case ExtentKind.Data when stretch.Place.CompressedLength > 0:
                Decompress(offset / BlockSize, stretch.Place).AsSpan((int)stretch.InBlock, part.Length).CopyTo(part);
                break;
            case ExtentKind.Data:
                ReadData(stretch.Place.FileOffset + stretch.InBlock, offset, part);
                break;
            case ExtentKind.Unallocated:
                ReadBacking(offset, part);
                break;
            default:
                part.Clear();
                break;
        }
    }

    private Stretch FindForExtents(long offset, long length)
    {
        try
        {
            return Find(offset, length);
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }

    /// <summary>What lies at an offset, and as far as that goes on in the file.</summary>
    private Stretch Find(long offset, long length)
    {
        long block = offset / BlockSize;
        long inBlock = offset % BlockSize;
        BlockPlace place = Locate(block);
        long blocks = place.Blocks;
        while (place.CompressedLength == 0 && (blocks * BlockSize) - inBlock < length && Continuation(place, block, blocks) is long more and > 0)
        {
            blocks += more;
        }

        return new Stretch(place, inBlock, Math.Min(length, (blocks * BlockSize) - inBlock));
    }

    /// <summary>How many blocks go on with what a place is; 0 for none. Damage in one is found when that is asked for.</summary>
    private long Continuation(BlockPlace place, long first, long blocks)
    {
        try
        {
            BlockPlace next = Locate(first + blocks);
            bool isSame = next.Kind == place.Kind && next.CompressedLength == 0 && (place.Kind != ExtentKind.Data || next.FileOffset == place.FileOffset + (blocks * BlockSize));
            return isSame ? next.Blocks : 0;
        }
        catch (Qcow2Exception)
        {
            return 0;
        }
    }

    /// <summary>Where a block is.</summary>
    /// <param name="Kind">Data; zeros, whatever the disk below has; or what that has.</param>
    /// <param name="FileOffset">Where its data lies in the file.</param>
    /// <param name="CompressedLength">Bytes of its data, if it is compressed; otherwise 0.</param>
    /// <param name="Blocks">For how many blocks from this one on the same is true, where the map says that at once.</param>
    private protected readonly record struct BlockPlace(ExtentKind Kind, long FileOffset = 0, int CompressedLength = 0, long Blocks = 1);

    private readonly record struct Stretch(BlockPlace Place, long InBlock, long Length);
}

using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks;

/// <summary>
/// A disk of which a file has blocks, and a map that says which and where: each format knows how its map is read (<see cref="Locate"/>).
/// </summary>
internal abstract class SparseDisk : FileDisk
{
    /// <summary>As it was when the file was opened: to ask the host for it at each block would cost more than the map. What is missing since is found when it is read.</summary>
    private readonly long _fileLength;

    private protected SparseDisk(BlockStorage file, long length, long blockSize, VirtualDisk? backing)
        : base(file, length, backing)
    {
        BlockSize = blockSize;
        _fileLength = file.Length;
    }

    /// <summary>Unit of allocation, in bytes.</summary>
    protected long BlockSize { get; }

    /// <summary>What the map says of a block.</summary>
    /// <exception cref="Qcow2Exception">What it says is not possible.</exception>
    private protected abstract BlockPlace Locate(long block);

    /// <summary>The content of a whole compressed block, which nobody may write into.</summary>
    /// <param name="block">The block.</param>
    /// <param name="fileOffset">Where its data lies in the file.</param>
    /// <param name="length">Bytes of its data.</param>
    private protected virtual byte[] Decompress(long block, long fileOffset, int length) => throw new NotSupportedException("The format has no compressed blocks.");

    /// <summary>The place of a block's data, if the file has all of it that the disk has.</summary>
    /// <param name="block">The block.</param>
    /// <param name="offset">Where the map says that it lies.</param>
    /// <param name="first">Where blocks can lie at the earliest.</param>
    /// <exception cref="Qcow2Exception">The file has not.</exception>
    private protected BlockPlace DataAt(long block, long offset, long first)
    {
        long needed = Math.Min(BlockSize, Length - (block * BlockSize));
        return offset >= first && offset <= _fileLength - needed
            ? new BlockPlace(ExtentKind.Data, offset)
            : throw Qcow2Errors.Corrupt($"Block {block} of {BlockSize} bytes is said to lie at 0x{offset:x}; the file has room for data between 0x{first:x} and its end at 0x{_fileLength:x}.");
    }

    /// <inheritdoc/>
    private protected override FileStretch Find(long offset, long length)
    {
        long block = offset / BlockSize;
        long inBlock = offset % BlockSize;
        BlockPlace place = Locate(block);
        long blocks = place.Blocks;
        while (place.CompressedLength == 0 && (blocks * BlockSize) - inBlock < length && Continuation(place, block, blocks) is long more and > 0)
        {
            blocks += more;
        }

        long start = place.CompressedLength > 0 ? place.FileOffset : place.FileOffset + inBlock;
        return new FileStretch(place.Kind, Math.Min(length, (blocks * BlockSize) - inBlock), start, place.CompressedLength);
    }

    /// <inheritdoc/>
    private protected override long EndOfDamage(long offset) => ((offset / BlockSize) + 1) * BlockSize;

    /// <inheritdoc/>
    private protected override void ReadCompressed(FileStretch stretch, long offset, Span<byte> buffer)
        => Decompress(offset / BlockSize, stretch.FileOffset, stretch.CompressedLength).AsSpan((int)(offset % BlockSize), buffer.Length).CopyTo(buffer);

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
}

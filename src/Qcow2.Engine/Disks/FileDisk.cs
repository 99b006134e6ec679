using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks;

/// <summary>
/// A disk of which a file has parts: the rest is zeros, or what the disk below has. What is common to all that is read so; each format knows how to
/// find a part (<see cref="Find"/>).
/// </summary>
internal abstract class FileDisk : VirtualDisk
{
    private protected FileDisk(BlockStorage file, long length, VirtualDisk? backing)
    {
        Storage = file;
        Length = length;
        Backing = backing;
    }

    /// <inheritdoc/>
    public override string Path => Storage.Path;

    /// <inheritdoc/>
    public override long Length { get; }

    /// <inheritdoc/>
    public override VirtualDisk? Backing { get; }

    /// <summary>The file, which the disk owns, as it does the disk below.</summary>
    protected BlockStorage Storage { get; }

    /// <summary>What lies at an offset, and how far that goes on.</summary>
    /// <param name="offset">An offset inside the disk.</param>
    /// <param name="length">Bytes that are wanted; at least one, inside the disk.</param>
    /// <returns>A stretch of one byte at least, and no longer than what is wanted.</returns>
    /// <exception cref="Qcow2Exception">What the file says of it is not possible.</exception>
    private protected abstract FileStretch Find(long offset, long length);

    /// <summary>Where the damage ends that keeps an offset from being found.</summary>
    private protected abstract long EndOfDamage(long offset);

    /// <summary>Reads what lies in the file.</summary>
    /// <param name="fileOffset">Where in the file.</param>
    /// <param name="offset">Where on the disk.</param>
    /// <param name="buffer">Where the bytes go.</param>
    private protected virtual void ReadData(long fileOffset, long offset, Span<byte> buffer) => Storage.ReadExactly(fileOffset, buffer);

    /// <summary>Whether data that is not compressed lies in the file as it is.</summary>
    private protected virtual bool HasPlainData => true;

    /// <summary>Reads a part of what is compressed.</summary>
    /// <param name="stretch">What was found at the offset.</param>
    /// <param name="offset">Where on the disk.</param>
    /// <param name="buffer">Where the bytes go; they all lie in the stretch.</param>
    private protected virtual void ReadCompressed(FileStretch stretch, long offset, Span<byte> buffer) => throw new NotSupportedException("The format compresses nothing.");

    /// <inheritdoc/>
    protected internal override void ReadCore(long offset, Span<byte> buffer)
    {
        try
        {
            while (!buffer.IsEmpty)
            {
                FileStretch stretch = Find(offset, buffer.Length);
                Span<byte> part = buffer.Slice(0, (int)stretch.Length);
                Read(stretch, offset, part);
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
        var parts = new FileExtents(Storage);
        while (offset < end)
        {
            FileStretch stretch = FindNamed(offset, end - offset);
            IEnumerable<DiskExtent> extents = stretch switch
            {
                { Kind: ExtentKind.Unallocated } => BackingExtents(offset, stretch.Length, depth),
                { Kind: ExtentKind.Data, IsCompressed: false } => parts.Of(stretch.FileOffset, offset, stretch.Length, depth),
                _ => [new DiskExtent(offset, stretch.Length, stretch.Kind, depth, Path, null, stretch.IsCompressed)],
            };
            foreach (DiskExtent extent in extents)
            {
                yield return extent;
            }

            offset += stretch.Length;
        }
    }

    /// <inheritdoc/>
    internal override HostRun? FindHostRun(long offset, long length)
    {
        FileStretch stretch = FindNamed(offset, length);
        return stretch switch
        {
            { Kind: ExtentKind.Unallocated } => BackingHostRun(offset, stretch.Length),
            { Kind: ExtentKind.Data, IsCompressed: false } when HasPlainData => new HostRun(Storage, stretch.FileOffset, stretch.Length),
            _ => null,
        };
    }

    /// <inheritdoc/>
    protected internal override long DamageEnd(long offset)
    {
        try
        {
            return Find(offset, 1) switch
            {
                { Kind: ExtentKind.Unallocated } when Backing is VirtualDisk backing && offset < backing.Length => backing.DamageEnd(offset),
                { IsCompressed: true } => EndOfDamage(offset),
                _ => base.DamageEnd(offset),
            };
        }
        catch (IOException)
        {
            return EndOfDamage(offset);
        }
    }

    /// <inheritdoc/>
    protected internal override bool ReadsFrom(FileIdentity file) => Storage.Identity.IsProvenSameAs(file) || base.ReadsFrom(file);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Storage.Dispose();
            Backing?.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Read(FileStretch stretch, long offset, Span<byte> buffer)
    {
        switch (stretch.Kind)
        {
            case ExtentKind.Data when stretch.IsCompressed:
                ReadCompressed(stretch, offset, buffer);
                break;
            case ExtentKind.Data:
                ReadData(stretch.FileOffset, offset, buffer);
                break;
            case ExtentKind.Unallocated:
                ReadBacking(offset, buffer);
                break;
            default:
                buffer.Clear();
                break;
        }
    }

    private FileStretch FindNamed(long offset, long length)
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
}

/// <summary>A stretch of a disk that is all of one kind.</summary>
/// <param name="Kind">Data; zeros, whatever the disk below has; or what that has (<see cref="ExtentKind.Unallocated"/>).</param>
/// <param name="Length">Bytes.</param>
/// <param name="FileOffset">Where data lies in the file; where the compressed block begins, if it is compressed.</param>
/// <param name="CompressedLength">Bytes of the compressed block that it lies in; 0 where it is not compressed.</param>
internal readonly record struct FileStretch(ExtentKind Kind, long Length, long FileOffset = 0, int CompressedLength = 0)
{
    /// <summary>Whether it lies in a compressed block.</summary>
    internal bool IsCompressed => CompressedLength > 0;
}

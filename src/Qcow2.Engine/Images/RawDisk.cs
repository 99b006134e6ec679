using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>A disk whose bytes are the file's bytes. Nothing in the file is ever taken for a format.</summary>
public sealed class RawDisk : VirtualDisk
{
    private readonly BlockStorage _storage;

    private RawDisk(BlockStorage storage)
    {
        _storage = storage;
        Length = storage.Length;
    }

    /// <inheritdoc/>
    public override string Path => _storage.Path;

    /// <inheritdoc/>
    public override long Length { get; }

    /// <summary>Opens a raw disk for reading.</summary>
    /// <param name="path">The file; a relative path is taken from the process's current directory.</param>
    /// <param name="options">Only <see cref="Qcow2OpenOptions.ForceShare"/> matters here.</param>
    /// <exception cref="Qcow2Exception">Another program writes the file.</exception>
    /// <exception cref="IOException">The file could not be opened.</exception>
    public static RawDisk Open(string path, Qcow2OpenOptions? options = null)
        => Open(ImageFile.Open(path, options ?? Qcow2OpenOptions.Default));

    /// <summary>Reads a disk from storage, which the disk then owns.</summary>
    public static RawDisk Open(BlockStorage storage) => new(storage);

    /// <inheritdoc/>
    protected internal override void ReadCore(long offset, Span<byte> buffer) => _storage.ReadZeroPadded(offset, buffer);

    /// <inheritdoc/>
    protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
    {
        long end = offset + length;
        while (offset < end)
        {
            StorageRun run = _storage.RunAt(offset);

            // A file that another program changes meanwhile must not make this loop stand still.
            long next = Math.Min(end, Math.Max(run.End, offset + 1));
            yield return new DiskExtent(
                offset, next - offset, run.IsData ? ExtentKind.Data : ExtentKind.Unallocated, depth, Path, offset, IsCompressed: false);
            offset = next;
        }
    }

    /// <inheritdoc/>
    protected internal override bool ReadsFrom(FileIdentity file) => _storage.Identity == file;

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _storage.Dispose();
        }

        base.Dispose(disposing);
    }
}

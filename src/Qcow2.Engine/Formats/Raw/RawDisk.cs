using System.Buffers;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>A disk whose bytes are the file's bytes. Nothing in the file is ever taken for a format.</summary>
public sealed class RawDisk : VirtualDisk
{
    private const int ZeroPieceBytes = 64 * 1024;

    private readonly BlockStorage _storage;
    private long _length;

    private RawDisk(BlockStorage storage, bool isWritable)
    {
        _storage = storage;
        _length = storage.Length;
        CanWrite = isWritable;
    }

    /// <inheritdoc/>
    public override string Path => _storage.Path;

    /// <inheritdoc/>
    public override long Length => Volatile.Read(ref _length);

    /// <inheritdoc/>
    internal override DiskOrigin? Origin
        => new DiskOrigin(_storage.Identity, _storage.Identity, DiskOrigin.NoTable, DiskEncryption.None, isFixed: true);

    /// <inheritdoc/>
    internal override bool HasPlaceForAll => true;

    /// <inheritdoc/>
    public override bool CanWrite { get; }

    /// <summary>Opens a raw disk.</summary>
    /// <param name="path">The file; a relative path is taken from the process's current directory.</param>
    /// <param name="options">Only <see cref="Qcow2OpenOptions.Writable"/> and <see cref="Qcow2OpenOptions.ForceShare"/> matter here.</param>
    /// <exception cref="Qcow2Exception">Another program uses the file in a way that excludes this.</exception>
    /// <exception cref="IOException">The file could not be opened.</exception>
    public static RawDisk Open(string path, Qcow2OpenOptions? options = null)
    {
        options ??= Qcow2OpenOptions.Default;
        return new RawDisk(options.Writable ? ImageFile.OpenForWriting(path) : ImageFile.Open(path, options), options.Writable);
    }

    /// <summary>Reads a disk from storage, which the disk then owns.</summary>
    /// <param name="storage">The disk's bytes.</param>
    /// <param name="isWritable">Whether the disk is written, too.</param>
    public static RawDisk Open(BlockStorage storage, bool isWritable = false) => new(storage, isWritable);

    /// <inheritdoc/>
    public override void Flush()
    {
        if (CanWrite)
        {
            _storage.Flush();
        }
    }

    /// <inheritdoc/>
    internal override void Grow(long length, CancellationToken cancellationToken)
    {
        _storage.SetLength(length);
        Volatile.Write(ref _length, length);
    }

    /// <inheritdoc/>
    protected internal override void ReadCore(long offset, Span<byte> buffer) => _storage.ReadZeroPadded(offset, buffer);

    /// <inheritdoc/>
    protected internal override void WriteCore(long offset, ReadOnlySpan<byte> data) => _storage.Write(offset, data);

    /// <inheritdoc/>
    protected internal override void DiscardCore(long offset, long length) => WriteZeroesCore(offset, length, keepAllocation: false);

    /// <inheritdoc/>
    protected internal override void WriteZeroesCore(long offset, long length, bool keepAllocation)
    {
        long end = offset + length;
        while (offset < end)
        {
            StorageRun run = _storage.RunAt(offset);
            long next = Math.Min(end, Math.Max(run.End, offset + 1));
            if (run.IsData && (keepAllocation || !_storage.TryPunchHole(offset, next - offset)))
            {
                WriteZeroData(offset, next);
            }

            offset = next;
        }
    }

    /// <inheritdoc/>
    protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
        => new FileExtents(_storage).Of(offset, offset, length, depth);

    /// <inheritdoc/>
    protected internal override bool ReadsFrom(FileIdentity file) => _storage.Identity.IsProvenSameAs(file);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _storage.Dispose();
        }

        base.Dispose(disposing);
    }

    private void WriteZeroData(long offset, long end)
    {
        byte[] zeros = ArrayPool<byte>.Shared.Rent(ZeroPieceBytes);
        try
        {
            Array.Clear(zeros, 0, ZeroPieceBytes);
            while (offset < end)
            {
                int count = (int)Math.Min(end - offset, ZeroPieceBytes);
                _storage.Write(offset, zeros.AsSpan(0, count));
                offset += count;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(zeros);
        }
    }
}

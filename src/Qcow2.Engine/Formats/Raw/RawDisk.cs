using System.Buffers;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Formats.Raw;
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

    /// <summary>
    /// Gives the disk another size, and returns when the disk of the host has it. What is added reads as zeros; what is cut off is gone. No reader or writer may be at work
    /// meanwhile.
    /// </summary>
    /// <param name="size">The new size, in bytes; it is taken as it is, also where it is no multiple of 512.</param>
    /// <param name="allowShrink">Whether the disk may get smaller.</param>
    /// <param name="preallocation">What is allocated in advance of the part that is added: a raw disk has no tables, so that <see cref="Preallocation.Metadata"/> is refused.</param>
    /// <param name="progress">Told of the bytes that have been preallocated so far, in order, on the calling thread.</param>
    /// <param name="cancellationToken">Stops the preallocation. The disk then has its old size.</param>
    /// <exception cref="ArgumentException">The disk would get smaller, and that was not allowed, or the preallocation does not fit.</exception>
    /// <exception cref="NotSupportedException">The disk is open for reading only, or is a device, whose size is not the file's to set.</exception>
    /// <exception cref="OperationCanceledException">The resizing was stopped.</exception>
    /// <exception cref="IOException">The host could not write. The disk has the old size or the new one.</exception>
    public void Resize(
        long size, bool allowShrink = false, Preallocation preallocation = Preallocation.Off, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        if (size < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(size), size, "A disk's size is 0 bytes or more.");
        }

        if (!CanWrite)
        {
            throw new NotSupportedException($"{Path}: the disk is open for reading only.");
        }

        if (_storage.HasFixedLength)
        {
            throw new NotSupportedException($"{Path}: this is a device, whose size nobody sets by writing to it. Make the device itself larger or smaller, with the tool that made it.");
        }

        if (preallocation == Preallocation.Metadata)
        {
            throw new ArgumentException($"{Path}: a raw disk has no tables that could be preallocated; its space can be reserved or written.", nameof(preallocation));
        }

        if (size < Length && !allowShrink)
        {
            throw new ArgumentException($"{Path}: the disk has {Length} bytes; making it smaller destroys what lies past {size} and has to be allowed.", nameof(size));
        }

        if (size < Length && preallocation != Preallocation.Off)
        {
            throw new ArgumentException($"{Path}: nothing can be preallocated of a disk that gets smaller.", nameof(preallocation));
        }

        if (size == Length)
        {
            return;
        }

        try
        {
            new RawResize(_storage).To(size, preallocation, progress, cancellationToken);
        }
        finally
        {
            Volatile.Write(ref _length, _storage.Length);
        }
    }

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
    internal override HostRun? FindHostRun(long offset, long length) => new HostRun(_storage, offset, length);

    /// <inheritdoc/>
    internal override BlockStorage? PlainStorage => _storage;

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

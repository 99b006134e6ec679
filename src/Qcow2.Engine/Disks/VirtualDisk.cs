using Qcow2.Engine.Conversion;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>
/// A disk as a guest sees it: bytes from 0 to <see cref="Length"/>, whatever file format they come from. Reading is safe
/// from many threads at once.
/// </summary>
public abstract class VirtualDisk : IDisposable
{
    private const long SectorSize = 512;

    /// <summary>Full path of the file that was opened.</summary>
    public abstract string Path { get; }

    /// <summary>Size of the disk, in bytes.</summary>
    public abstract long Length { get; }

    /// <summary>The disk that shows through where this one has nothing; null at the end of a chain.</summary>
    public virtual VirtualDisk? Backing => null;

    /// <summary>Bytes of a sector as the guest is to address the disk, where the format says that: 512 or 4096. Null where it does not.</summary>
    public virtual int? LogicalSectorSize => null;

    /// <summary>What the disk's own bytes are made from; null where that is not known.</summary>
    internal virtual DiskOrigin? Origin => null;

    /// <summary>Whether each byte of the disk has its place in the file, holes included, as in a raw file.</summary>
    internal virtual bool HasPlaceForAll => false;

    /// <summary>Reads at a position.</summary>
    /// <param name="offset">Where to start, in bytes; 0 or more.</param>
    /// <param name="buffer">Where the bytes go.</param>
    /// <returns>Number of bytes read: all that were asked for, or as many as there are before the end of the disk.</returns>
    /// <exception cref="Qcow2Exception">The image is damaged here, or needs a passphrase.</exception>
    /// <exception cref="IOException">The host could not read.</exception>
    public int Read(long offset, Span<byte> buffer)
    {
        if (offset < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), offset, "An offset is 0 or more.");
        }

        int count = (int)Math.Min(buffer.Length, Math.Max(0, Length - offset));
        if (count > 0)
        {
            ReadCore(offset, buffer.Slice(0, count));
        }

        return count;
    }

    /// <summary>Whether the disk can be written.</summary>
    public virtual bool CanWrite => false;

    /// <summary>
    /// Writes at a position. Other readers and writers see the data when this returns; the disk of the host has it for good
    /// after the next <see cref="Flush"/>.
    /// </summary>
    /// <param name="offset">Where to start, in bytes.</param>
    /// <param name="data">The bytes; they must lie inside the disk, which does not grow.</param>
    /// <exception cref="NotSupportedException">The disk is open for reading only.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range does not lie inside the disk.</exception>
    /// <exception cref="Qcow2Exception">The image is damaged, full, or needs a passphrase.</exception>
    /// <exception cref="IOException">The host could not write. The image is consistent; what was being written may be there in part.</exception>
    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        RequireWritable(offset, data.Length);
        if (!data.IsEmpty)
        {
            WriteCore(offset, data);
        }
    }

    /// <summary>Makes a range read as zeros, without writing them where the format can say so in its tables.</summary>
    /// <param name="offset">Where to start, in bytes.</param>
    /// <param name="length">Bytes; they must lie inside the disk.</param>
    /// <param name="keepAllocation">Whether space that the range has is kept for what will be written there.</param>
    /// <exception cref="NotSupportedException">The disk is open for reading only.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range does not lie inside the disk.</exception>
    public void WriteZeroes(long offset, long length, bool keepAllocation = false)
    {
        RequireWritable(offset, length);
        if (length > 0)
        {
            WriteZeroesCore(offset, length, keepAllocation);
        }
    }

    /// <summary>
    /// Gives up what a range holds. Whole clusters of it read as zeros afterwards where the format can say so; the rest stays
    /// as it is.
    /// </summary>
    /// <param name="offset">Where to start, in bytes.</param>
    /// <param name="length">Bytes; they must lie inside the disk.</param>
    /// <exception cref="NotSupportedException">The disk is open for reading only.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range does not lie inside the disk.</exception>
    public void Discard(long offset, long length)
    {
        RequireWritable(offset, length);
        if (length > 0)
        {
            DiscardCore(offset, length);
        }
    }

    /// <summary>Returns when everything that was written before is on the disk of the host.</summary>
    /// <exception cref="IOException">
    /// The host could not write. The image is consistent. Calling again tries again, unless it was the host's own flush that failed:
    /// then what was written since the last flush may be lost, and this fails until the image is opened again.
    /// </exception>
    public virtual void Flush()
    {
    }

    /// <summary>What lies where, in order and without gaps, adjacent extents of one kind joined.</summary>
    public IEnumerable<DiskExtent> GetExtents() => GetExtents(0, Length);

    /// <summary>What lies where in a part of the disk, in order and without gaps, adjacent extents of one kind joined.</summary>
    /// <param name="offset">Where to start, in bytes; 0 or more.</param>
    /// <param name="length">Bytes; what passes the end of the disk is left out.</param>
    /// <param name="cancellationToken">Ends the enumeration, also in the midst of a long extent.</param>
    /// <exception cref="Qcow2Exception">The image's tables are damaged (when the extents are enumerated).</exception>
    public IEnumerable<DiskExtent> GetExtents(long offset, long length, CancellationToken cancellationToken = default)
    {
        if (offset < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), offset, "An offset is 0 or more.");
        }

        if (length < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(length), length, "A length is 0 or more.");
        }

        return Join(offset, Math.Min(length, Math.Max(0, Length - offset)), cancellationToken);
    }

    /// <summary>
    /// Whether a path leads to one of the files that the disk is read from: the image, a file of its backing chain or an
    /// external data file. Such a file must not be overwritten with what is read.
    /// </summary>
    /// <remarks>
    /// True means proven. Where the host does not say enough (one file of a network share by two names of the server) this is false, and
    /// what keeps the source whole is that it is open: it cannot be opened for writing meanwhile, and a new file takes its place when complete.
    /// </remarks>
    /// <param name="path">A file that may but need not exist; links to the file are recognised, too.</param>
    public bool ReadsFrom(string path) => LocalFile.TryIdentify(path) is FileIdentity file && ReadsFrom(file);

    /// <summary>Fails if the disk is read from a file that is to be written.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="Qcow2Exception">It is.</exception>
    internal void RequireOther(string path)
    {
        if (ReadsFrom(path))
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.DestinationIsSource,
                $"{Path} is read from this very file, directly or through its backing chain, so that it cannot be the destination.")
                .At(System.IO.Path.GetFullPath(path));
        }
    }

    /// <summary>A seekable stream over the disk; it can be written if the disk can. Disposing of it leaves the disk open.</summary>
    public Stream AsStream() => new DiskStream(this);

    /// <summary>Closes the disk and every file it opened.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Fails at once where reading all of the disk would fail sooner or later for want of a passphrase, in the disk itself or
    /// in one below it.
    /// </summary>
    /// <exception cref="Qcow2Exception">An image of the chain is encrypted and was opened without a passphrase.</exception>
    protected internal virtual void EnsureReadable() => Backing?.EnsureReadable();

    /// <summary>Fills a buffer from inside the disk.</summary>
    /// <param name="offset">Where to start; with the buffer's length it lies inside the disk.</param>
    /// <param name="buffer">Never empty.</param>
    protected internal abstract void ReadCore(long offset, Span<byte> buffer);

    /// <summary>Writes inside the disk.</summary>
    /// <param name="offset">Where to start; with the data's length it lies inside the disk.</param>
    /// <param name="data">Never empty.</param>
    protected internal virtual void WriteCore(long offset, ReadOnlySpan<byte> data)
        => throw new NotSupportedException("The disk is open for reading only.");

    /// <summary>Makes a range inside the disk read as zeros.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="length">Bytes; at least one.</param>
    /// <param name="keepAllocation">Whether to keep the range's space.</param>
    protected internal virtual void WriteZeroesCore(long offset, long length, bool keepAllocation)
        => throw new NotSupportedException("The disk is open for reading only.");

    /// <summary>Gives up what a range inside the disk holds.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="length">Bytes; at least one.</param>
    protected internal virtual void DiscardCore(long offset, long length)
        => throw new NotSupportedException("The disk is open for reading only.");

    /// <summary>
    /// What damage at an offset takes along, because it can be read or found only together with it: a sector, a compressed cluster, or
    /// all that an unreadable table covers.
    /// </summary>
    /// <param name="offset">An offset inside the disk, where a read failed.</param>
    /// <returns>The offset after the last such byte; perhaps past the end of the disk.</returns>
    protected internal virtual long DamageEnd(long offset) => (offset | (SectorSize - 1)) + 1;

    /// <summary>Enumerates extents in order and without gaps; they need not be joined.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="length">Bytes; inside the disk.</param>
    /// <param name="depth">How far down the chain this disk is.</param>
    protected internal abstract IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth);

    /// <summary>Whether the disk is read from a file, directly or through its backing chain, beyond doubt.</summary>
    /// <param name="file">The file.</param>
    protected internal virtual bool ReadsFrom(FileIdentity file) => Backing?.ReadsFrom(file) ?? false;

    /// <summary>
    /// The file that holds the disk's data, if it has clusters that were taken in advance and never written: holes of that file
    /// read as zeros though extents call them data. Null where extents say all there is to say.
    /// </summary>
    internal virtual BlockStorage? PreallocatedStorage(CancellationToken cancellationToken) => null;

    /// <summary>
    /// Where a stretch of the disk lies in a file as it is: neither compressed nor encrypted, and of no image that others may be writing through this object,
    /// which could move it. What the file has there may be a hole.
    /// </summary>
    /// <param name="offset">Where the stretch begins, in bytes; inside the disk.</param>
    /// <param name="length">Bytes, at least one, inside the disk.</param>
    /// <returns>As much of the stretch as lies in one piece, from its start; null where nothing does.</returns>
    internal virtual HostRun? FindHostRun(long offset, long length) => null;

    /// <summary>Says that a stretch of the disk will be read soon, so that files from which reading takes long begin with it.</summary>
    /// <param name="offset">Where the stretch begins, in bytes; inside the disk.</param>
    /// <param name="length">Bytes, inside the disk.</param>
    internal virtual void WillRead(long offset, long length)
    {
        for (long end = offset + length; offset < end && FindHostRun(offset, end - offset) is HostRun run; offset += run.Length)
        {
            run.File.WillRead(run.Offset, run.Length);
        }
    }

    /// <summary>The file that holds each byte of the disk at the byte's own offset, for a copy into it; null if there is none.</summary>
    internal virtual BlockStorage? PlainStorage => null;

    /// <summary>What a copy into this disk writes to.</summary>
    /// <param name="isZero">Whether the disk is known to read as zeros.</param>
    /// <param name="options">How to copy.</param>
    /// <exception cref="ArgumentException">The format cannot do what the options ask for.</exception>
    internal virtual CopyTarget TargetOfCopy(bool isZero, ConversionOptions options)
    {
        ConversionOptions.RequirePlain(options, "A raw disk");
        return new DiskTarget(this, isZero, options.SparseSize);
    }

    /// <summary>Makes the disk larger. What is added reads as zeros.</summary>
    /// <param name="length">The new size, in bytes; no less than it was.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="NotSupportedException">This disk cannot grow.</exception>
    internal virtual void Grow(long length, CancellationToken cancellationToken)
        => throw new NotSupportedException($"{Path}: the disk is smaller than what is to be written to it, and cannot grow.");

    /// <summary>Closes the disk.</summary>
    /// <param name="disposing">False when called by the finaliser.</param>
    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>Fills a buffer from the disk below; where that has ended, or there is none, with zeros.</summary>
    private protected void ReadBacking(long offset, Span<byte> buffer)
    {
        int read = Backing?.Read(offset, buffer) ?? 0;
        buffer.Slice(read).Clear();
    }

    /// <summary>Where a stretch lies that this disk leaves to the one below.</summary>
    private protected HostRun? BackingHostRun(long offset, long length)
        => Backing is VirtualDisk backing && backing.Length > offset ? backing.FindHostRun(offset, Math.Min(length, backing.Length - offset)) : null;

    /// <summary>What lies in a stretch that this disk leaves to the one below; where that has ended, or there is none, nobody has anything.</summary>
    private protected IEnumerable<DiskExtent> BackingExtents(long offset, long length, int depth)
    {
        long covered = Backing is VirtualDisk backing ? Math.Max(0, Math.Min(length, backing.Length - offset)) : 0;
        if (covered > 0)
        {
            foreach (DiskExtent extent in Backing!.EnumerateExtents(offset, covered, depth + 1))
            {
                yield return extent;
            }
        }

        if (covered < length)
        {
            yield return new DiskExtent(offset + covered, length - covered, ExtentKind.Unallocated, depth, Path, null, IsCompressed: false);
        }
    }

    private void RequireWritable(long offset, long length)
    {
        if (!CanWrite)
        {
            throw new NotSupportedException($"{Path}: the disk is open for reading only.");
        }

        if (offset < 0 || length < 0 || offset > Length - length)
        {
            throw new ArgumentOutOfRangeException(
                nameof(offset), offset, $"{length} bytes at this offset do not lie inside the disk, which has {Length} bytes.");
        }
    }

    private IEnumerable<DiskExtent> Join(long offset, long length, CancellationToken cancellationToken)
    {
        DiskExtent pending = default;
        foreach (DiskExtent extent in EnumerateExtents(offset, length, 0))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (pending.Length == 0)
            {
                pending = extent;
            }
            else if (pending.IsContinuedBy(extent))
            {
                pending = pending with { Length = pending.Length + extent.Length };
            }
            else
            {
                yield return pending;
                pending = extent;
            }
        }

        if (pending.Length > 0)
        {
            yield return pending;
        }
    }
}

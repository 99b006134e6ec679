namespace Qcow2.Engine.Storage;

/// <summary>
/// The bytes of one file, by position. Every read and write of the engine goes through this seam, which is where tests
/// inject faults. Safe to use from many threads at once.
/// </summary>
public abstract class BlockStorage : IDisposable
{
    /// <summary>Full path of the file, or a name for people where there is no file.</summary>
    public abstract string Path { get; }

    /// <summary>Length in bytes.</summary>
    public abstract long Length { get; }

    /// <summary>Bytes the file takes on its disk: less than <see cref="Length"/> where it has holes.</summary>
    public abstract long AllocatedLength { get; }

    /// <summary>Whether the length is what it is, as a device's: nobody can set it.</summary>
    public virtual bool HasFixedLength => false;

    /// <summary>
    /// Whether <see cref="Path"/> is a path of this machine. Of what came from elsewhere it is only a name for people: no file lies beside it, and what the content
    /// names is never opened.
    /// </summary>
    public virtual bool HasLocalPath => true;

    /// <summary>What tells this file from every other on the host, whatever it is called.</summary>
    public abstract FileIdentity Identity { get; }

    /// <summary>Reads until the buffer is full or the file ends.</summary>
    /// <param name="offset">Where to start, in bytes; may lie past the end.</param>
    /// <param name="buffer">Where the bytes go.</param>
    /// <returns>Number of bytes read; less than asked for only at the end of the file.</returns>
    /// <exception cref="IOException">The host could not read.</exception>
    public abstract int Read(long offset, Span<byte> buffer);

    /// <summary>Writes all of the buffer.</summary>
    /// <param name="offset">Where to start, in bytes; the file grows as needed.</param>
    /// <param name="buffer">The bytes.</param>
    /// <exception cref="IOException">The host could not write.</exception>
    public abstract void Write(long offset, ReadOnlySpan<byte> buffer);

    /// <summary>Sets the length. What is added reads as zeros and takes no space where the file system has holes.</summary>
    /// <param name="length">The new length, in bytes.</param>
    public abstract void SetLength(long length);

    /// <summary>
    /// Returns when all that was written lies on the disk. A storage that failed here and may have lost what was written must
    /// go on failing: a flush that succeeds vouches for everything before it.
    /// </summary>
    /// <exception cref="IOException">The host could not write.</exception>
    public abstract void Flush();

    /// <summary>Reserves space, so that writing there cannot fail for want of it. What is there stays.</summary>
    /// <param name="offset">Where to start, in bytes; the file grows as needed.</param>
    /// <param name="length">Bytes.</param>
    /// <returns>False if the host cannot do that.</returns>
    /// <exception cref="IOException">There is not enough space.</exception>
    public virtual bool TryAllocate(long offset, long length) => false;

    /// <summary>Gives space back to the host. The range reads as zeros afterwards, if this succeeds.</summary>
    /// <param name="offset">Where to start, in bytes.</param>
    /// <param name="length">Bytes.</param>
    /// <returns>False if the host cannot do that.</returns>
    public virtual bool TryPunchHole(long offset, long length) => false;

    /// <summary>Says whether this file can have what lies in another one as its own content without a copy, each with its own writes from then on.</summary>
    /// <param name="source">The other file; what it holds is brought to the disk of the host, so that it can be shared.</param>
    /// <param name="refusal">Why nothing can be shared, as the end of a sentence; null if something can.</param>
    /// <returns>What <see cref="TryShare"/> needs offsets and lengths to be multiples of, in bytes, a power of two; 0 if nothing can be shared.</returns>
    public virtual int ShareUnit(BlockStorage source, out string? refusal)
    {
        refusal = "this is no file of the host";
        return 0;
    }

    /// <summary>Takes a range of another file as content without a copy. What was in its place is given up.</summary>
    /// <param name="source">The other file.</param>
    /// <param name="sourceOffset">Where the range lies there, in bytes; all of it lies inside that file.</param>
    /// <param name="offset">Where it goes, in bytes; the file grows as needed.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="refusal">Why not, as the end of a sentence; null if it was done.</param>
    /// <returns>False if the host cannot do that, which changes nothing that matters: what is there must be written now.</returns>
    public virtual bool TryShare(BlockStorage source, long sourceOffset, long offset, long length, out string? refusal)
    {
        refusal = "this is no file of the host";
        return false;
    }

    /// <summary>Has the host copy a range of another file, which costs it one copy where reading and writing cost two, and a server none over the network.</summary>
    /// <param name="source">The other file.</param>
    /// <param name="sourceOffset">Where the range lies there, in bytes; all of it lies inside that file.</param>
    /// <param name="offset">Where it goes, in bytes; the file grows as needed.</param>
    /// <param name="length">Bytes.</param>
    /// <returns>False if the host did not, or not to its end: all of it must be written now.</returns>
    internal virtual bool TryCopy(BlockStorage source, long sourceOffset, long offset, long length) => false;

    /// <summary>Says that a range will be read soon, so that a file from which reading takes long begins with it. It may reach past the end.</summary>
    /// <param name="offset">Where it starts, in bytes.</param>
    /// <param name="length">Bytes.</param>
    internal virtual void WillRead(long offset, long length)
    {
    }

    /// <summary>The file of the host whose bytes these are, each at its place; null if there is none.</summary>
    internal virtual LocalFile? HostFile => null;

    /// <summary>
    /// Finds the run of data or hole that an offset lies in. A file system without holes gives one run of data.
    /// </summary>
    /// <param name="offset">An offset inside the file.</param>
    /// <returns>Whether it is data, and where the run ends.</returns>
    public abstract StorageRun RunAt(long offset);

    /// <summary>Reads exactly; bytes past the end of the file are zeros.</summary>
    internal void ReadZeroPadded(long offset, Span<byte> buffer)
    {
        int read = Read(offset, buffer);
        if (read < buffer.Length)
        {
            buffer.Slice(read).Clear();
        }
    }

    /// <summary>Reads what must be there.</summary>
    /// <exception cref="Qcow2Exception">The file ends before that, as one does that was cut off since it was opened.</exception>
    internal void ReadExactly(long offset, Span<byte> buffer)
    {
        if (Read(offset, buffer) < buffer.Length)
        {
            throw Qcow2Errors.PastEnd("Data", (ulong)offset, (ulong)buffer.Length, Length);
        }
    }

    /// <summary>Lets the file reach a position at least. What is added takes no space; a device stays as it is.</summary>
    internal void LengthenTo(long end)
    {
        if (!HasFixedLength && Length < end)
        {
            SetLength(end);
        }
    }

    /// <summary>Lets the file end where a cluster does, as everything that writes an image leaves it.</summary>
    internal void CompleteLastCluster(int clusterSize) => LengthenTo((Length + clusterSize - 1) & -(long)clusterSize);

    /// <summary>Refuses to go on past the end of a device.</summary>
    /// <exception cref="IOException">The device has fewer bytes.</exception>
    internal void RequireRoom(long end)
    {
        if (HasFixedLength && end > Length)
        {
            throw new IOException($"{Path}: the image needs {end} bytes, and the device has {Length}: make it larger.");
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes the file.</summary>
    /// <param name="disposing">False when called by the finaliser.</param>
    protected abstract void Dispose(bool disposing);
}

/// <summary>A run of a file that is either data or a hole.</summary>
/// <param name="IsData">Whether it is data; a hole reads as zeros.</param>
/// <param name="End">Where the run ends, in bytes from the start of the file.</param>
public readonly record struct StorageRun(bool IsData, long End);

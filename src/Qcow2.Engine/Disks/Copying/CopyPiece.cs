namespace Qcow2.Engine.Disks.Copying;

/// <summary>A part of a disk, for one thread to copy.</summary>
/// <param name="Offset">Where it starts, in bytes.</param>
/// <param name="Length">Bytes.</param>
/// <param name="IsData">Whether there is anything to read; what is not data reads as zeros.</param>
/// <param name="Shared">Where the data lies, if it is not read: the destination is to share it. Null where it is copied.</param>
internal readonly record struct CopyPiece(long Offset, long Length, bool IsData, HostRun? Shared = null)
{
    /// <summary>Zeros cost little to write, but not nothing: the work must be stoppable.</summary>
    private const long MaxZeroLength = 128L << 20;

    /// <summary>Whether the destination keeps what it has there: it is counted and nothing else.</summary>
    internal bool IsKept { get; init; }

    private long End => Offset + Length;

    /// <summary>Divides a disk by what is to be read of it.</summary>
    /// <param name="extents">What lies where, in order and without gaps from the start of the disk.</param>
    /// <param name="length">Size of the disk.</param>
    /// <param name="unit">
    /// What the destination allocates at once, a power of two: pieces start at multiples of it, so that no two threads write to the
    /// same one, and data takes whatever else its units hold along.
    /// </param>
    /// <param name="maxLength">Bytes of the longest piece that is read; a multiple of the unit.</param>
    /// <param name="sharing">Finds what is shared in place of being read; null for nothing.</param>
    /// <param name="maxShared">Bytes of the longest piece that is shared; a multiple of the unit.</param>
    internal static IEnumerable<CopyPiece> Of(
        IEnumerable<DiskExtent> extents, long length, int unit, int maxLength, SharedExtents? sharing = null, int maxShared = 0)
    {
        // What is known so far and not handed out yet: zeros, and after them data.
        long zeros = 0;
        long data = 0;
        long end = 0;
        foreach ((long offset, long partEnd, HostRun? shared) in DataOf(extents, sharing))
        {
            long start = Math.Max(end, offset & ~((long)unit - 1));
            if (start > end)
            {
                foreach (CopyPiece piece in Cut(zeros, data, end, maxLength))
                {
                    yield return piece;
                }

                zeros = end;
                data = start;
            }

            if (shared is HostRun run)
            {
                // It begins and ends with units of its own.
                foreach (CopyPiece piece in Cut(zeros, data, end, maxLength).Concat(CutShared(start, run, maxShared)))
                {
                    yield return piece;
                }

                zeros = data = end = partEnd;
                continue;
            }

            end = Math.Min(length, (partEnd + unit - 1) & ~((long)unit - 1));

            // What is whole goes out at once, or the threads would wait for a walk through a long run of small extents.
            long whole = end & ~((long)maxLength - 1);
            if (whole > data)
            {
                foreach (CopyPiece piece in Cut(zeros, data, whole, maxLength))
                {
                    yield return piece;
                }

                zeros = data = whole;
            }
        }

        foreach (CopyPiece piece in Cut(zeros, data, end, maxLength).Concat(Cut(end, length, length, maxLength)))
        {
            yield return piece;
        }
    }

    /// <summary>What is to be read or shared, in order.</summary>
    private static IEnumerable<(long Offset, long End, HostRun? Shared)> DataOf(IEnumerable<DiskExtent> extents, SharedExtents? sharing)
    {
        foreach (DiskExtent extent in extents)
        {
            if (extent.Kind != ExtentKind.Data)
            {
                continue;
            }

            long offset = extent.Offset;
            foreach (SharedExtent shared in sharing?.Of(extent) ?? [])
            {
                if (offset < shared.Offset)
                {
                    yield return (offset, shared.Offset, null);
                }

                yield return (shared.Offset, shared.End, shared.Run);
                offset = shared.End;
            }

            if (offset < extent.End)
            {
                yield return (offset, extent.End, null);
            }
        }
    }

    private static IEnumerable<CopyPiece> CutShared(long offset, HostRun run, int maxLength)
    {
        for (long done = 0; done < run.Length;)
        {
            long start = offset + done;
            long count = Math.Min(run.Length - done, (start | ((long)maxLength - 1)) + 1 - start);
            yield return new CopyPiece(start, count, IsData: true, run.Slice(done, count));
            done += count;
        }
    }

    private static IEnumerable<CopyPiece> Cut(long zeros, long data, long end, int maxLength)
    {
        for (long start = zeros; start < data;)
        {
            var piece = new CopyPiece(start, Math.Min(data - start, MaxZeroLength), IsData: false);
            yield return piece;
            start = piece.End;
        }

        for (long start = data; start < end;)
        {
            var piece = new CopyPiece(start, Math.Min(end, (start | ((long)maxLength - 1)) + 1) - start, IsData: true);
            yield return piece;
            start = piece.End;
        }
    }
}

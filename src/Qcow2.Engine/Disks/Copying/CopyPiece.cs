namespace Qcow2.Engine.Disks.Copying;

/// <summary>A part of a disk, for one thread to copy.</summary>
/// <param name="Offset">Where it starts, in bytes.</param>
/// <param name="Length">Bytes.</param>
/// <param name="IsData">Whether there is anything to read; what is not data reads as zeros.</param>
internal readonly record struct CopyPiece(long Offset, long Length, bool IsData)
{
    /// <summary>Zeros cost little to write, but not nothing: the work must be stoppable.</summary>
    private const long MaxZeroLength = 128L << 20;

    private long End => Offset + Length;

    /// <summary>Divides a disk by what is to be read of it.</summary>
    /// <param name="extents">What lies where, in order and without gaps from the start of the disk.</param>
    /// <param name="length">Size of the disk.</param>
    /// <param name="unit">
    /// What the destination allocates at once, a power of two: pieces start at multiples of it, so that no two threads write to the
    /// same one, and data takes whatever else its units hold along.
    /// </param>
    /// <param name="maxLength">Bytes of the longest piece that is read; a multiple of the unit.</param>
    internal static IEnumerable<CopyPiece> Of(IEnumerable<DiskExtent> extents, long length, int unit, int maxLength)
    {
        // What is known so far and not handed out yet: zeros, and after them data.
        long zeros = 0;
        long data = 0;
        long end = 0;
        foreach (DiskExtent extent in extents)
        {
            if (extent.Kind != ExtentKind.Data)
            {
                continue;
            }

            long start = Math.Max(end, extent.Offset & ~((long)unit - 1));
            if (start > end)
            {
                foreach (CopyPiece piece in Cut(zeros, data, end, maxLength))
                {
                    yield return piece;
                }

                zeros = end;
                data = start;
            }

            end = Math.Min(length, (extent.Offset + extent.Length + unit - 1) & ~((long)unit - 1));

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

namespace Qcow2.Engine.Storage;

/// <summary>Finds blocks of zeros, and leaves them out where they are there already.</summary>
internal static class SparseBlocks
{
    /// <summary>Writes data; safe from many threads at once.</summary>
    /// <param name="destination">Where to; it reads as zeros there.</param>
    /// <param name="position">Where in the destination.</param>
    /// <param name="offset">
    /// Where the data lies on its disk. Blocks are counted from the disk's start, so that the holes do not depend on how the work was
    /// shared.
    /// </param>
    /// <param name="data">The data.</param>
    /// <param name="blockSize">Blocks of zeros of this size are left out; a power of two.</param>
    internal static void Write(BlockStorage destination, long position, long offset, ReadOnlySpan<byte> data, int blockSize)
    {
        for (int start = 0; start < data.Length;)
        {
            int end = EndOfRun(offset, data, start, blockSize, out bool isZero);
            if (!isZero)
            {
                destination.Write(position + start, data.Slice(start, end - start));
            }

            start = end;
        }
    }

    /// <summary>Finds where a run of blocks ends that are all zeros, or all not.</summary>
    internal static int EndOfRun(long offset, ReadOnlySpan<byte> data, int start, int blockSize, out bool isZero)
    {
        int end = EndOfBlock(offset, data, start, blockSize);
        isZero = SpanSearch.IsAllZero(data.Slice(start, end - start));
        while (end < data.Length)
        {
            int next = EndOfBlock(offset, data, end, blockSize);
            if (SpanSearch.IsAllZero(data.Slice(end, next - end)) != isZero)
            {
                break;
            }

            end = next;
        }

        return end;
    }

    private static int EndOfBlock(long offset, ReadOnlySpan<byte> data, int start, int blockSize)
    {
        int toBoundary = blockSize - (int)((offset + start) & (blockSize - 1));
        return Math.Min(data.Length, start + toBoundary);
    }
}

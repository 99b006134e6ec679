using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Conversion;

/// <summary>Writes data into storage that reads as zeros, leaving out runs of zeros. Safe from many threads at once.</summary>
internal sealed class SparseWriter(BlockStorage destination, int sparseSize)
{
    internal void Write(long offset, ReadOnlySpan<byte> data)
    {
        int position = 0;
        while (position < data.Length)
        {
            // Blocks are counted from the start of the disk, so that the holes do not depend on how the work was shared.
            int end = EndOfRun(offset, data, position, out bool isZero);
            if (!isZero)
            {
                destination.Write(offset + position, data.Slice(position, end - position));
            }

            position = end;
        }
    }

    private int EndOfRun(long offset, ReadOnlySpan<byte> data, int start, out bool isZero)
    {
        int end = EndOfBlock(offset, data, start);
        isZero = SpanSearch.IsAllZero(data.Slice(start, end - start));
        while (end < data.Length)
        {
            int next = EndOfBlock(offset, data, end);
            if (SpanSearch.IsAllZero(data.Slice(end, next - end)) != isZero)
            {
                break;
            }

            end = next;
        }

        return end;
    }

    private int EndOfBlock(long offset, ReadOnlySpan<byte> data, int start)
    {
        long absolute = offset + start;
        int toBoundary = sparseSize - (int)(absolute & (sparseSize - 1));
        return Math.Min(data.Length, start + toBoundary);
    }
}

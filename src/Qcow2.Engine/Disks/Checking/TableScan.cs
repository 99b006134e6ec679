using System.Buffers;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.Checking;

/// <summary>Reads a table of a file from its start to its end, a page at a time, however long it claims to be.</summary>
internal static class TableScan
{
    private const int PageLength = 64 * 1024;

    /// <summary>What looks at a page.</summary>
    /// <param name="position">Where in the table the page starts, in bytes.</param>
    /// <param name="entries">Its bytes.</param>
    internal delegate void Page(long position, ReadOnlySpan<byte> entries);

    /// <summary>Reads a table; what lies past the end of the file is left out.</summary>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where the table lies.</param>
    /// <param name="length">Bytes of it.</param>
    /// <param name="skipsHoles">Whether entries of zero say nothing, so that a hole need not be looked at.</param>
    /// <param name="look">Looks at each page.</param>
    /// <param name="cancellationToken">Ends it.</param>
    internal static void Run(BlockStorage file, long offset, long length, bool skipsHoles, Page look, CancellationToken cancellationToken)
    {
        length = Math.Min(length, file.Length - offset);
        var holes = new HoleFinder(file, skipsHoles && HoleFinder.IsSparse(file));
        byte[] page = ArrayPool<byte>.Shared.Rent(PageLength);
        try
        {
            for (long position = 0; position < length; position += PageLength)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int count = (int)Math.Min(PageLength, length - position);
                if (!holes.IsHole(offset + position, count))
                {
                    file.ReadZeroPadded(offset + position, page.AsSpan(0, count));
                    look(position, page.AsSpan(0, count));
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(page);
        }
    }
}

using System.Buffers.Binary;

namespace Qcow2.Engine.Storage;

/// <summary>
/// Entries of large little-endian tables in a file. They are read by the page, when they are needed, and a bounded number of pages is
/// kept, however large a table claims to be. What lies past the end of the file is zeros. Safe from many threads.
/// </summary>
internal sealed class TablePages(BlockStorage storage)
{
    private const int PageLength = 64 * 1024;
    private const int MaxPages = 64;

    private readonly Dictionary<long, byte[]> _pages = [];
    private readonly Queue<long> _order = new();

    /// <summary>Reads an entry of four bytes.</summary>
    /// <param name="offset">Where it lies in the file; a multiple of 4.</param>
    internal uint ReadUInt32(long offset) => BinaryPrimitives.ReadUInt32LittleEndian(Page(offset / PageLength).AsSpan((int)(offset % PageLength)));

    /// <summary>Reads an entry of eight bytes.</summary>
    /// <param name="offset">Where it lies in the file; a multiple of 8.</param>
    internal ulong ReadUInt64(long offset) => BinaryPrimitives.ReadUInt64LittleEndian(Page(offset / PageLength).AsSpan((int)(offset % PageLength)));

    private byte[] Page(long number)
    {
        lock (_pages)
        {
            if (_pages.TryGetValue(number, out byte[]? page))
            {
                return page;
            }

            page = new byte[PageLength];
            storage.ReadZeroPadded(number * PageLength, page);
            if (_order.Count == MaxPages)
            {
                _pages.Remove(_order.Dequeue());
            }

            _pages.Add(number, page);
            _order.Enqueue(number);
            return page;
        }
    }
}

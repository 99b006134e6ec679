using System.Buffers.Binary;

namespace Qcow2.Engine.Storage;

/// <summary>
/// Entries of large tables in a file. They are read by the page, when they are needed, and a bounded number of pages is
/// kept, however large a table claims to be. What lies past the end of the file is zeros. Safe from many threads.
/// </summary>
internal sealed class TablePages(BlockStorage storage)
{
    private const int PageLength = 64 * 1024;
    private const int PageBits = 6;

    private readonly PieceCache _pages = new(storage, PageLength, PageBits);

    /// <summary>Reads an entry of four bytes, the lowest first.</summary>
    /// <param name="offset">Where it lies in the file; a multiple of 4.</param>
    internal uint ReadUInt32(long offset) => BinaryPrimitives.ReadUInt32LittleEndian(At(offset));

    /// <summary>Reads an entry of eight bytes, the lowest first.</summary>
    /// <param name="offset">Where it lies in the file; a multiple of 8.</param>
    internal ulong ReadUInt64(long offset) => BinaryPrimitives.ReadUInt64LittleEndian(At(offset));

    /// <summary>Reads an entry of eight bytes, the highest first.</summary>
    /// <param name="offset">Where it lies in the file; a multiple of 8.</param>
    internal ulong ReadUInt64BigEndian(long offset) => BinaryPrimitives.ReadUInt64BigEndian(At(offset));

    /// <summary>Whether all entries of a table are 0.</summary>
    /// <param name="offset">Where it lies in the file.</param>
    /// <param name="length">Bytes of it.</param>
    internal bool IsZero(long offset, long length)
    {
        while (length > 0)
        {
            ReadOnlySpan<byte> page = At(offset);
            int count = (int)Math.Min(page.Length, length);
            if (!SpanSearch.IsAllZero(page.Slice(0, count)))
            {
                return false;
            }

            offset += count;
            length -= count;
        }

        return true;
    }

    private ReadOnlySpan<byte> At(long offset) => _pages.Get(offset & -PageLength).AsSpan((int)(offset & (PageLength - 1)));
}

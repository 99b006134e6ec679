using System.Buffers.Binary;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.Copying;

/// <summary>
/// A table of a new file whose entries are decided in its own order. Only a page of it is in memory, however large it is; pages without an entry that
/// was set are not written where the file reads as what they hold anyway.
/// </summary>
/// <param name="file">The new file; it reads as zeros where the table is to be.</param>
/// <param name="offset">Where the table lies.</param>
/// <param name="length">Bytes of the table.</param>
/// <param name="filler">What each byte of an entry is that is never set.</param>
internal sealed class NewTable(BlockStorage file, long offset, long length, byte filler = 0)
{
    private const int PageLength = 64 * 1024;

    private byte[]? _page;
    private long _pageStart = -1;

    /// <summary>Sets an entry of four bytes.</summary>
    /// <param name="index">Its number; no less than that of the entry before.</param>
    /// <param name="value">What it says.</param>
    /// <param name="isBigEndian">Whether its first byte is the highest.</param>
    internal void SetUInt32(long index, uint value, bool isBigEndian = false)
    {
        Span<byte> entry = EntryAt(index * sizeof(uint));
        if (isBigEndian)
        {
            BinaryPrimitives.WriteUInt32BigEndian(entry, value);
        }
        else
        {
            BinaryPrimitives.WriteUInt32LittleEndian(entry, value);
        }
    }

    /// <summary>Sets a little-endian entry of eight bytes.</summary>
    /// <param name="index">Its number; no less than that of the entry before.</param>
    /// <param name="value">What it says.</param>
    internal void SetUInt64(long index, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(EntryAt(index * sizeof(ulong)), value);

    /// <summary>Writes what is left of the table.</summary>
    internal void Complete()
    {
        MoveTo(length + PageLength - 1 - ((length + PageLength - 1) % PageLength));
        _page = null;
    }

    private Span<byte> EntryAt(long position)
    {
        long start = position - (position % PageLength);
        if (start != _pageStart)
        {
            MoveTo(start);
        }

        return _page.AsSpan((int)(position - start));
    }

    private void MoveTo(long start)
    {
        if (start < _pageStart)
        {
            throw new InvalidOperationException("The entries of a new table are set in its order.");
        }

        long next = 0;
        if (_pageStart >= 0)
        {
            Write();
            next = _pageStart + PageLength;
        }

        _page ??= new byte[PageLength];
        _page.AsSpan().Fill(filler);
        for (_pageStart = next; _pageStart < start; _pageStart += PageLength)
        {
            if (filler == 0)
            {
                _pageStart = start;
                break;
            }

            Write();
        }
    }

    private void Write() => file.Write(offset + _pageStart, _page.AsSpan(0, (int)Math.Min(PageLength, length - _pageStart)));
}

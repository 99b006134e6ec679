using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Bitmaps;

/// <summary>The bits of a bitmap that nobody writes, read piece by piece: least significant bit first, eight to a byte.</summary>
internal sealed class BitmapContent
{
    private const int BitsPerByte = 8;
    private const int PieceLength = 64 * 1024;

    private readonly BlockStorage _image;
    private readonly ClusterGeometry _geometry;
    private readonly ulong[] _table;
    private readonly long _bits;

    /// <summary>Reads where the bits lie.</summary>
    /// <exception cref="Qcow2Exception">The bitmap's table is damaged.</exception>
    internal BitmapContent(BlockStorage image, Qcow2Header header, BitmapDirectoryEntry entry)
    {
        _image = image;
        _geometry = header.Geometry;
        _table = BitmapTableReader.Read(image, header, entry);
        _bits = DirtyBitmap.CountFor(header.Size, entry.GranularityBits);
    }

    /// <summary>Whether the table says that no bit of a range is set. False says nothing.</summary>
    /// <param name="offset">First byte of the bits.</param>
    /// <param name="length">Bytes; at least one.</param>
    internal bool IsKnownZero(long offset, int length)
    {
        long last = Math.Min((offset + length - 1) >> _geometry.ClusterBits, _table.Length - 1);
        for (long page = offset >> _geometry.ClusterBits; page <= last; page++)
        {
            if (_table[page] != 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Reads bits. Those past the end of the disk are clear (spec: "unused tail bits ... must be zero").</summary>
    /// <param name="offset">First byte of the bits.</param>
    /// <param name="buffer">Where they go.</param>
    internal void Read(long offset, Span<byte> buffer)
    {
        Span<byte> rest = buffer;
        for (long at = offset; !rest.IsEmpty;)
        {
            int inPage = _geometry.OffsetInCluster(at);
            Span<byte> part = rest.Slice(0, Math.Min(rest.Length, _geometry.ClusterSize - inPage));
            long page = at >> _geometry.ClusterBits;
            var entry = new BitmapTableEntry(page < _table.Length ? _table[page] : 0);
            if (entry.IsUsed)
            {
                _image.ReadZeroPadded(entry.Offset + inPage, part);
            }
            else
            {
                part.Fill(entry.IsAllOnes ? byte.MaxValue : (byte)0);
            }

            at += part.Length;
            rest = rest.Slice(part.Length);
        }

        long valid = _bits - (offset * BitsPerByte);
        if (valid < (long)buffer.Length * BitsPerByte)
        {
            int end = (int)(valid / BitsPerByte);
            buffer[end] &= (byte)((1 << (int)(valid % BitsPerByte)) - 1);
            buffer.Slice(end + 1).Clear();
        }
    }

    /// <summary>The parts of the disk whose bits are set, in order and joined.</summary>
    /// <param name="granularityBits">What one bit stands for, as a power of two.</param>
    internal IEnumerable<(long Offset, long Length)> DirtyRanges(int granularityBits) => BitRuns.Of(Pieces(), granularityBits);

    private IEnumerable<(long First, long End, byte[]? Bits)> Pieces()
    {
        const long BitsOfPiece = PieceLength * BitsPerByte;
        byte[] piece = new byte[PieceLength];
        for (long first = 0; first < _bits; first += BitsOfPiece)
        {
            bool isZero = IsKnownZero(first / BitsPerByte, PieceLength);
            if (!isZero)
            {
                Read(first / BitsPerByte, piece);
            }

            yield return (first, Math.Min(_bits, first + BitsOfPiece), isZero ? null : piece);
        }
    }
}

namespace Qcow2.Engine.Storage;

/// <summary>
/// Pieces of metadata in memory, so many at most: each has one place to be, from which it pushes what was there. No locks, and no memory
/// in proportion to anything that a file says.
/// </summary>
internal sealed class PieceCache
{
    private readonly BlockStorage _storage;
    private readonly int _pieceBytes;
    private readonly int _shift;
    private readonly Piece?[] _pieces;

    /// <param name="storage">The file.</param>
    /// <param name="pieceBytes">Bytes of a piece.</param>
    /// <param name="capacityBits">How many pieces are kept, as a power of two.</param>
    internal PieceCache(BlockStorage storage, int pieceBytes, int capacityBits)
    {
        _storage = storage;
        _pieceBytes = pieceBytes;
        _shift = 64 - capacityBits;
        _pieces = new Piece?[1 << capacityBits];
    }

    /// <summary>The bytes at an offset. What lies past the end of the file is zeros; nobody may write into it.</summary>
    internal byte[] Get(long offset)
    {
        // Bitmaps lie a block apart, so that plain low bits would send many of them to the same place.
        int place = (int)(((ulong)offset * 0x9e3779b97f4a7c15) >> _shift);
        Piece? piece = Volatile.Read(ref _pieces[place]);
        if (piece is null || piece.Offset != offset)
        {
            piece = new Piece(offset, new byte[_pieceBytes]);
            _storage.ReadZeroPadded(offset, piece.Bytes);
            Volatile.Write(ref _pieces[place], piece);
        }

        return piece.Bytes;
    }

    private sealed record Piece(long Offset, byte[] Bytes);
}

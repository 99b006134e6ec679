using System.Buffers;

namespace Qcow2.Engine.Disks.Copying;

/// <summary>A piece of a disk on its way: what was read, and what the destination makes of it.</summary>
internal class CopyParcel(int capacity) : IDisposable
{
    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(capacity);

    /// <summary>The piece.</summary>
    internal CopyPiece Piece { get; set; }

    /// <summary>What was read, if the piece holds data that is copied.</summary>
    internal Span<byte> Data => Room.Slice(0, Piece is { IsData: true, Shared: null } ? (int)Piece.Length : 0);

    /// <summary>Room for what is read.</summary>
    internal Span<byte> Room => _buffer.AsSpan(0, capacity);

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives the buffers back.</summary>
    protected virtual void Dispose(bool disposing)
    {
        // What was read may be a decrypted disk.
        ArrayPool<byte>.Shared.Return(_buffer, clearArray: true);
    }
}

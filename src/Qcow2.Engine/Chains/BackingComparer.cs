using System.Buffers;

namespace Qcow2.Engine.Chains;

/// <summary>Finds where two backing files differ, a piece at a time. For one thread; several have one each.</summary>
/// <param name="old">The old backing file.</param>
/// <param name="next">The new backing file.</param>
/// <param name="blockSize">What is written as a whole: a power of two.</param>
internal sealed class BackingComparer(VirtualDisk old, VirtualDisk next, int blockSize) : IDisposable
{
    private readonly byte[] _old = ArrayPool<byte>.Shared.Rent(RebasePiece.MaxLength);
    private readonly byte[] _next = ArrayPool<byte>.Shared.Rent(RebasePiece.MaxLength);

    /// <summary>Reads a piece of both, and finds the ranges in which they differ, in whole blocks where the piece has them whole.</summary>
    internal IEnumerable<(long Offset, int Length)> Differences(RebasePiece piece)
    {
        int length = (int)piece.Length;
        Read(piece.HasOld, old, piece.Offset, _old.AsSpan(0, length));
        Read(piece.HasNew, next, piece.Offset, _next.AsSpan(0, length));
        int start = -1;
        for (int position = 0; position < length;)
        {
            int end = (int)Math.Min(length, ((piece.Offset + position) | ((long)blockSize - 1)) + 1 - piece.Offset);
            bool differs = !_old.AsSpan(position, end - position).SequenceEqual(_next.AsSpan(position, end - position));
            if (differs && start < 0)
            {
                start = position;
            }
            else if (!differs && start >= 0)
            {
                yield return (piece.Offset + start, position - start);
                start = -1;
            }

            position = end;
        }

        if (start >= 0)
        {
            yield return (piece.Offset + start, length - start);
        }
    }

    /// <summary>What the old backing file holds in a range of the piece that was read last.</summary>
    internal ReadOnlySpan<byte> Old(RebasePiece piece, long offset, int length) => _old.AsSpan((int)(offset - piece.Offset), length);

    public void Dispose()
    {
        // What was read may be a decrypted disk.
        ArrayPool<byte>.Shared.Return(_old, clearArray: true);
        ArrayPool<byte>.Shared.Return(_next, clearArray: true);
    }

    private static void Read(bool hasData, VirtualDisk disk, long offset, Span<byte> buffer)
    {
        int read = hasData ? disk.Read(offset, buffer) : 0;
        buffer.Slice(read).Clear();
    }
}

using System.Buffers;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Formats.Qcow2.Writing;

namespace Qcow2.Engine.Formats.Qcow2.Layering;

/// <summary>Finds where two backing files differ, a piece at a time. For one thread; several have one each.</summary>
/// <param name="old">The old backing file.</param>
/// <param name="next">The new backing file.</param>
/// <param name="blockSize">What is written as a whole: a power of two.</param>
internal sealed class BackingComparer(VirtualDisk old, VirtualDisk next, int blockSize) : IDisposable
{
    private readonly PartialSectors _partialSectors = new(next);
    private readonly byte[] _old = ArrayPool<byte>.Shared.Rent(RebasePiece.MaxLength);
    private readonly byte[] _next = ArrayPool<byte>.Shared.Rent(RebasePiece.MaxLength);

    /// <summary>Reads a piece, and finds the ranges in which the two differ, in whole blocks where the piece has them whole.</summary>
    internal IEnumerable<(long Offset, int Length)> Differences(RebasePiece piece)
    {
        int length = (int)piece.Length;
        Read(piece.HasOld, old, piece.Offset, _old.AsSpan(0, length));
        Read(piece.HasNew, next, piece.Offset, _next.AsSpan(0, length));
        if (piece.HasOld && piece.HasNew)
        {
            _partialSectors.Distinguish(piece.Offset, _old.AsSpan(0, length), _next.AsSpan(0, length));
        }

        int start = -1;
        for (int position = 0; position < length;)
        {
            int end = (int)Math.Min(length, ((piece.Offset + position) | ((long)blockSize - 1)) + 1 - piece.Offset);
            bool differs = Differs(piece, position, end - position);
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

    /// <summary>Writes what the old backing file holds in a range of the piece that was read last.</summary>
    /// <param name="image">The image.</param>
    /// <param name="piece">The piece.</param>
    /// <param name="offset">Where the range starts, in bytes.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="sharing">Shares with the old backing file what it can in place of writing it; null for nothing.</param>
    internal void Keep(Qcow2Image image, RebasePiece piece, long offset, int length, SharedExtents? sharing)
    {
        ReadOnlySpan<byte> data = _old.AsSpan((int)(offset - piece.Offset), length);
        if (!piece.HasOld || SpanSearch.IsAllZero(data))
        {
            image.WriteZeroes(offset, length);
        }
        else if (sharing is null)
        {
            image.Write(offset, data);
        }
        else
        {
            image.Write(offset, data, sharing);
        }
    }

    public void Dispose()
    {
        // What was read may be a decrypted disk.
        ArrayPool<byte>.Shared.Return(_old, clearArray: true);
        ArrayPool<byte>.Shared.Return(_next, clearArray: true);
    }

    /// <summary>Where one of them has nothing, it is zeros, which nobody wrote into its buffer.</summary>
    private bool Differs(RebasePiece piece, int start, int length)
    {
        ReadOnlySpan<byte> before = _old.AsSpan(start, length);
        ReadOnlySpan<byte> after = _next.AsSpan(start, length);
        return (piece.HasOld, piece.HasNew) switch
        {
            (true, true) => !before.SequenceEqual(after),
            (true, false) => !SpanSearch.IsAllZero(before),
            (false, true) => !SpanSearch.IsAllZero(after),
            _ => false,
        };
    }

    private static void Read(bool hasData, VirtualDisk disk, long offset, Span<byte> buffer)
    {
        if (hasData)
        {
            int read = disk.Read(offset, buffer);
            buffer.Slice(read).Clear();
        }
    }
}

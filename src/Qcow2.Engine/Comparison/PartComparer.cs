using System.Buffers;

namespace Qcow2.Engine.Comparison;

/// <summary>Compares parts of two disks, one after the other. For one thread; several have one each.</summary>
/// <param name="first">One disk, with its layers.</param>
/// <param name="second">The other one.</param>
/// <param name="options">How.</param>
/// <param name="onDone">Told of bytes that are dealt with.</param>
/// <param name="cancellationToken">Ends the work.</param>
internal sealed class PartComparer(
    (VirtualDisk Disk, DiskLayers Layers) first,
    (VirtualDisk Disk, DiskLayers Layers) second,
    DiskCompareOptions options,
    Action<long> onDone,
    CancellationToken cancellationToken) : IDisposable
{
    /// <summary>What is said of differences: whole blocks of this many bytes.</summary>
    internal const int BlockSize = 4096;

    /// <summary>The longest piece that is read at once: the largest cluster, so that no compressed cluster lies in two pieces.</summary>
    private const int MaxLength = 1 << Format.Qcow2Limits.MaxClusterBits;

    private readonly byte[] _first = ArrayPool<byte>.Shared.Rent(MaxLength);
    private readonly byte[] _second = ArrayPool<byte>.Shared.Rent(MaxLength);
    private readonly long _common = Math.Min(first.Disk.Length, second.Disk.Length);
    private readonly long _length = Math.Max(first.Disk.Length, second.Disk.Length);

    /// <summary>Compares a part.</summary>
    /// <param name="part">The part.</param>
    /// <param name="isWanted">Whether the part still matters: not, once a difference before it has ended the work.</param>
    internal PartResult Compare(DiskRange part, Func<bool> isWanted)
    {
        var result = new PartResult(Math.Max(1, options.MaxRanges));
        Piece pending = default;
        foreach (ExtentPair pair in ExtentPair.Of(first.Disk, second.Disk, part, cancellationToken))
        {
            bool isAllocatedUnlike = options.IsStrict && result.FirstAllocationDifference is null && pair.Range.Offset < _common
                && first.Layers.StatusOf(pair.First!.Value) != second.Layers.StatusOf(pair.Second!.Value);
            Piece next = PieceOf(pair);
            if (isAllocatedUnlike || !pending.IsContinuedBy(next))
            {
                if (!CompareAll(pending, result, isWanted))
                {
                    return result;
                }

                pending = next;
            }
            else
            {
                pending = pending with { Range = pending.Range with { Length = next.Range.End - pending.Range.Offset } };
            }

            if (isAllocatedUnlike)
            {
                result.FirstAllocationDifference = pair.Range.Offset;
                if (options.StopAtFirst)
                {
                    return result;
                }
            }
        }

        CompareAll(pending, result, isWanted);
        return result;
    }

    public void Dispose()
    {
        // What was read may be a decrypted disk.
        ArrayPool<byte>.Shared.Return(_first, clearArray: true);
        ArrayPool<byte>.Shared.Return(_second, clearArray: true);
    }

    private Piece PieceOf(ExtentPair pair)
    {
        bool isInFirst = pair.First is { Kind: ExtentKind.Data };
        bool isInSecond = pair.Second is { Kind: ExtentKind.Data };
        bool isSame = isInFirst && isInSecond && DiskLayers.AreSame(first.Layers, pair.First!.Value, second.Layers, pair.Second!.Value);
        return new Piece(pair.Range, isInFirst && !isSame, isInSecond && !isSame);
    }

    /// <summary>Compares a stretch, however long; false if the comparison ends here.</summary>
    private bool CompareAll(Piece stretch, PartResult result, Func<bool> isWanted)
    {
        if (!stretch.IsInFirst && !stretch.IsInSecond)
        {
            onDone(stretch.Range.Length);
            return true;
        }

        for (long offset = stretch.Range.Offset; offset < stretch.Range.End;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!isWanted())
            {
                return false;
            }

            int length = (int)(Math.Min(stretch.Range.End, (offset | (MaxLength - 1L)) + 1) - offset);
            ComparePiece(offset, length, stretch, result);
            if (options.StopAtFirst && result.FirstDifference is not null)
            {
                return false;
            }

            onDone(length);
            offset += length;
        }

        return true;
    }

    private void ComparePiece(long offset, int length, Piece piece, PartResult result)
    {
        Span<byte> one = _first.AsSpan(0, length);
        Span<byte> other = _second.AsSpan(0, length);
        if (piece.IsInFirst)
        {
            first.Disk.Read(offset, one);
        }

        if (piece.IsInSecond)
        {
            second.Disk.Read(offset, other);
        }

        // What has no data is zeros, which nobody wrote into its buffer.
        if (!piece.IsInSecond)
        {
            Find(offset, one, default, result);
        }
        else if (!piece.IsInFirst)
        {
            Find(offset, other, default, result);
        }
        else
        {
            Find(offset, one, other, result);
        }
    }

    /// <summary>Adds the blocks in which bytes differ from others, or from zeros if there are no others.</summary>
    private void Find(long offset, ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> others, PartResult result)
    {
        bool areZeros = others.IsEmpty;
        if (areZeros ? SpanSearch.IsAllZero(bytes) : bytes.SequenceEqual(others))
        {
            return;
        }

        for (int start = 0; start < bytes.Length;)
        {
            long block = (offset + start) & ~(BlockSize - 1L);
            int end = (int)Math.Min(bytes.Length, block + BlockSize - offset);
            ReadOnlySpan<byte> part = bytes.Slice(start, end - start);
            int index = areZeros ? SpanSearch.IndexOfNonzero(part) : SpanSearch.IndexOfDifference(part, others.Slice(start, end - start));
            if (index >= 0)
            {
                result.FirstDifference ??= offset + start + index;
                result.Ranges.Add(new DiskRange(block, Math.Min(_length, block + BlockSize) - block));
            }

            start = end;
        }
    }

    /// <summary>A stretch to look at in one disk, in both, or in none.</summary>
    private readonly record struct Piece(DiskRange Range, bool IsInFirst, bool IsInSecond)
    {
        internal bool IsContinuedBy(Piece next) => next.Range.Offset == Range.End && next.IsInFirst == IsInFirst && next.IsInSecond == IsInSecond;
    }
}

using Qcow2.Engine.Storage;
using Qcow2.Engine.Work;

namespace Qcow2.Engine.Packed;

/// <summary>Unpacks files from their start to their end, with all check sums compared.</summary>
internal static class UnpackedFile
{
    private const int PieceBytes = 1 << 20;
    private const int HoleBytes = 64 * 1024;

    /// <summary>How much is written before somebody looks again how much space there is.</summary>
    private const long CheckBytes = 64L << 20;

    /// <summary>What is left to others of the space of a volume: a twentieth of what is free, but no more than this.</summary>
    private const long MostReserve = 1L << 30;

    /// <summary>Unpacks a file into a temporary one, with holes for zeros.</summary>
    /// <param name="packed">The packed file, which is closed with the result; not where this fails.</param>
    /// <param name="kind">What it is packed with.</param>
    /// <param name="folder">Where the file goes.</param>
    /// <param name="mostBytes">What it may become.</param>
    /// <param name="progress">Told how much of the packed file has been read; null for nobody.</param>
    /// <param name="cancellationToken">Stops it, and leaves nothing.</param>
    /// <exception cref="Qcow2Exception">The file is damaged, cut off, or holds more than is allowed.</exception>
    /// <exception cref="IOException">There is not enough space, or the host could not read or write.</exception>
    internal static TemporaryCopy Create(
        BlockStorage packed, PackedKind kind, string folder, long mostBytes, IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        if (kind.LengthOf(packed, cancellationToken) is long known)
        {
            UnpackLimits.Ensure(packed.Path, known, mostBytes);
        }

        return TemporaryCopy.Make(packed, folder, file => Copy(packed, kind, file, new SpaceBudget(folder), mostBytes, progress, cancellationToken));
    }

    /// <summary>Counts what comes out of a file, and compares all its check sums.</summary>
    internal static long Count(BlockStorage packed, PackedKind kind, long mostBytes, IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        long total = 0;
        ReadAll(packed, kind, mostBytes, progress, (_, piece) => total += piece.Length, cancellationToken);
        return total;
    }

    private static void Copy(
        BlockStorage packed, PackedKind kind, BlockStorage file, SpaceBudget space, long mostBytes, IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        long length = 0;
        ReadAll(
            packed, kind, mostBytes, progress,
            (offset, piece) =>
            {
                ReadOnlySpan<byte> data = piece.Span;
                for (int start = 0; start < data.Length;)
                {
                    int end = SparseBlocks.EndOfRun(offset, data, start, HoleBytes, out bool isZero);
                    if (!isZero)
                    {
                        space.Take(packed.Path, end - start);
                        file.Write(offset + start, data.Slice(start, end - start));
                    }

                    start = end;
                }

                length = offset + data.Length;
            },
            cancellationToken);
        file.SetLength(length);
    }

    private static void ReadAll(
        BlockStorage packed, PackedKind kind, long mostBytes, IProgress<WorkProgress>? progress, Action<long, ReadOnlyMemory<byte>> take, CancellationToken cancellationToken)
    {
        var input = new PackedInput(packed);
        using PackedReader reader = kind.Open(input);
        byte[] buffer = new byte[PieceBytes];
        long packedLength = packed.Length;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            long offset = reader.Position;
            int count = reader.Fill(buffer);
            if (count == 0)
            {
                return;
            }

            UnpackLimits.Ensure(packed.Path, reader.Position, mostBytes);
            take(offset, buffer.AsMemory(0, count));
            progress?.Report(new WorkProgress(Math.Min(input.Position, packedLength), packedLength));
        }
    }

    /// <summary>How much may be written to a volume, of which others need some.</summary>
    private sealed class SpaceBudget(string folder)
    {
        private long? _left = Free(folder);
        private long _untilCheck = CheckBytes;

        internal void Take(string path, long count)
        {
            _untilCheck -= count;
            if (_untilCheck <= 0)
            {
                _untilCheck = CheckBytes;
                _left = FreeSpace.Of(folder) is long free && _left is long left ? Math.Min(left, free) : _left;
            }

            _left -= count;
            if (_left < 0)
            {
                throw new IOException($"{path}: there is not enough space in {folder} for what is packed here.", HostError.DiskFull);
            }
        }

        private static long? Free(string folder) => FreeSpace.Of(folder) is long free ? free - Math.Min(free / 20, MostReserve) : null;
    }
}

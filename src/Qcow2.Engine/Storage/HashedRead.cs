namespace Qcow2.Engine.Storage;

/// <summary>Reads all of a file in the order of its bytes, for its hashes, and copies it on the way if that is wanted.</summary>
internal static class HashedRead
{
    private const int PieceSize = 1 << 20;

    /// <summary>Reads.</summary>
    /// <param name="file">The file.</param>
    /// <param name="meters">The hashes.</param>
    /// <param name="destination">Where the bytes go; what it holds is replaced. Null for nowhere.</param>
    /// <param name="report">Told how many bytes were read; null for nobody.</param>
    /// <param name="cancellationToken">Stops it.</param>
    internal static void Run(BlockStorage file, IReadOnlyList<HashMeter> meters, BlockStorage? destination, Action<long>? report, CancellationToken cancellationToken)
    {
        long length = file.Length;
        byte[] piece = new byte[PieceSize];
        destination?.SetLength(0);
        for (long position = 0; position < length;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = (int)Math.Min(piece.Length, length - position);
            file.ReadExactly(position, piece.AsSpan(0, count));
            foreach (HashMeter meter in meters)
            {
                meter.Add(piece, count);
            }

            destination?.Write(position, piece.AsSpan(0, count));
            position += count;
            report?.Invoke(position);
        }
    }
}

using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Packed.Zstd;

/// <summary>How long is what a .zst file holds, by the headers of its frames. Blocks say how long they are, so that no more than that is read of them.</summary>
internal static class ZstdLength
{
    private const int BlockHeaderBytes = 3;
    private const int SumBytes = 4;

    /// <summary>Adds up what the frames say.</summary>
    /// <param name="storage">The file.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>Null if a frame does not say it.</returns>
    /// <exception cref="Qcow2Exception">The file is cut off or damaged.</exception>
    internal static long? Of(BlockStorage storage, CancellationToken cancellationToken)
    {
        Span<byte> bytes = stackalloc byte[ZstdFrame.MostBytes];
        long total = 0;
        long position = 0;
        while (position < storage.Length)
        {
            int count = storage.Read(position, bytes);
            if (ZstdFrame.TryRead(bytes.Slice(0, count)) is not ZstdFrame frame)
            {
                throw count < bytes.Length ? CutOff(storage) : PackedErrors.Damaged(storage.Path, position, "this is no frame of Zstandard.");
            }

            if (frame.ContentSize is not long size || size > long.MaxValue - total)
            {
                return null;
            }

            total += size;
            position += frame.Length;
            position = frame.SkippedLength is long skipped ? position + skipped : EndOfBlocks(storage, position, cancellationToken) + (frame.HasSum ? SumBytes : 0);
            if (position > storage.Length)
            {
                throw CutOff(storage);
            }
        }

        return total;
    }

    private static long EndOfBlocks(BlockStorage storage, long position, CancellationToken cancellationToken)
    {
        Span<byte> header = stackalloc byte[BlockHeaderBytes];
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (storage.Read(position, header) < header.Length)
            {
                throw CutOff(storage);
            }

            int value = header[0] | (header[1] << 8) | (header[2] << 16);
            bool isRepeatedByte = ((value >> 1) & 3) == 1;
            position += BlockHeaderBytes + (isRepeatedByte ? 1 : value >> 3);
            if ((value & 1) != 0)
            {
                return position;
            }
        }
    }

    private static Qcow2Exception CutOff(BlockStorage storage) => PackedErrors.CutOff(storage.Path, storage.Length);
}

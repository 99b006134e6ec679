using Qcow2.Engine.Codecs;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Packed.Xz;

/// <summary>How long is what an .xz file holds, by the indexes at the ends of its streams.</summary>
internal static class XzLength
{
    /// <summary>Adds up what the indexes say, from the end of the file to its start.</summary>
    /// <exception cref="Qcow2Exception">The file is cut off or damaged.</exception>
    internal static long Of(BlockStorage storage)
    {
        long total = 0;
        long end = storage.Length;
        Span<byte> bytes = stackalloc byte[XzHeaders.HeaderBytes];
        while (end > 0)
        {
            end = WithoutPadding(storage, end);
            if (end < 2 * XzHeaders.HeaderBytes)
            {
                throw CutOff(storage);
            }

            storage.ReadExactly(end - XzHeaders.HeaderBytes, bytes);
            long index = XzHeaders.TryReadFooter(bytes, out long indexBytes) is null ? -1 : end - XzHeaders.HeaderBytes - indexBytes;
            if (index < XzHeaders.HeaderBytes)
            {
                throw CutOff(storage);
            }

            (long packed, long unpacked) = ReadIndex(storage, index, indexBytes);
            long start = index - packed - XzHeaders.HeaderBytes;
            total = unpacked <= long.MaxValue - total ? total + unpacked : throw Damaged(storage, index);
            if (start < 0)
            {
                throw Damaged(storage, index);
            }

            storage.ReadExactly(start, bytes);
            if (XzHeaders.TryReadHeader(bytes) is null)
            {
                throw Damaged(storage, start);
            }

            end = start;
        }

        return total;
    }

    private static long WithoutPadding(BlockStorage storage, long end)
    {
        byte[] bytes = new byte[4096];
        while (end >= XzHeaders.Unit)
        {
            int count = (int)Math.Min(bytes.Length, end & -XzHeaders.Unit);
            storage.ReadExactly(end - count, bytes.AsSpan(0, count));
            int zeros = 0;
            while (zeros < count && bytes[count - 1 - zeros] == 0)
            {
                zeros++;
            }

            end -= zeros & -XzHeaders.Unit;
            if (zeros < count)
            {
                break;
            }
        }

        return end;
    }

    private static (long Packed, long Unpacked) ReadIndex(BlockStorage storage, long offset, long length)
    {
        var input = new PackedInput(new SliceStorage(storage, offset, length, storage.Path));
        uint sum = uint.MaxValue;
        byte Next()
        {
            byte value = input.Take();
            sum = Crc32.Append(sum, [value]);
            return value;
        }

        long packed = 0;
        long unpacked = 0;
        if (Next() != 0)
        {
            throw Damaged(storage, offset);
        }

        for (long left = XzHeaders.ReadNumber(Next); left != 0; left--)
        {
            long unpadded = XzHeaders.ReadNumber(Next);
            long size = XzHeaders.ReadNumber(Next);
            if (left < 0 || unpadded <= 0 || size < 0 || unpadded > offset - packed || size > long.MaxValue - unpacked)
            {
                throw Damaged(storage, offset);
            }

            packed += (unpadded + XzHeaders.Unit - 1) & -XzHeaders.Unit;
            unpacked += size;
        }

        while (input.Position % XzHeaders.Unit != 0)
        {
            Next();
        }

        uint expected = ~sum;
        Span<byte> stored = stackalloc byte[sizeof(uint)];
        input.Take(stored);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(stored) == expected && input.IsAtEnd ? (packed, unpacked) : throw Damaged(storage, offset);
    }

    private static Qcow2Exception CutOff(BlockStorage storage) => PackedErrors.CutOff(storage.Path, storage.Length);

    private static Qcow2Exception Damaged(BlockStorage storage, long offset) => PackedErrors.Damaged(storage.Path, offset, "the index of the stream is not possible.");
}

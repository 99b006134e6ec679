using System.Buffers.Binary;

namespace Qcow2.Engine.Packed.Zstd;

/// <summary>The header of a Zstandard frame (RFC 8878, section 3.1.1).</summary>
/// <param name="Length">Bytes of the header.</param>
/// <param name="ContentSize">Bytes that the frame holds; null if it does not say.</param>
/// <param name="HasSum">Whether a check sum of those follows the blocks.</param>
/// <param name="SkippedLength">Of a frame that holds nothing of the content, its bytes behind the header; null of others.</param>
internal readonly record struct ZstdFrame(int Length, long? ContentSize, bool HasSum, long? SkippedLength)
{
    /// <summary>The longest header.</summary>
    internal const int MostBytes = 18;

    internal const uint Magic = 0xfd2fb528;
    internal const uint SkippableMagic = 0x184d2a50;
    internal const uint SkippableMask = 0xfffffff0;

    private const int SkippableBytes = 8;

    /// <summary>Reads a header.</summary>
    /// <param name="bytes">What there is, from the first byte of the frame.</param>
    /// <returns>Null if this is none, or it is not all there.</returns>
    internal static ZstdFrame? TryRead(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < SkippableBytes)
        {
            return null;
        }

        uint magic = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        if ((magic & SkippableMask) == SkippableMagic)
        {
            return new ZstdFrame(SkippableBytes, 0, false, BinaryPrimitives.ReadUInt32LittleEndian(bytes.Slice(sizeof(uint))));
        }

        if (magic != Magic)
        {
            return null;
        }

        byte descriptor = bytes[sizeof(uint)];
        bool isSingleSegment = (descriptor & 0x20) != 0;
        int dictionaryBytes = (descriptor & 3) switch { 0 => 0, 1 => 1, 2 => 2, _ => 4 };
        int sizeBytes = (descriptor >> 6) switch { 0 => isSingleSegment ? 1 : 0, 1 => 2, 2 => 4, _ => 8 };
        int sizeAt = sizeof(uint) + 1 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
        int length = sizeAt + sizeBytes;
        if (bytes.Length < length)
        {
            return null;
        }

        ReadOnlySpan<byte> size = bytes.Slice(sizeAt);
        ulong? content = sizeBytes switch
        {
            0 => null,
            1 => size[0],
            2 => BinaryPrimitives.ReadUInt16LittleEndian(size) + 256u,
            4 => BinaryPrimitives.ReadUInt32LittleEndian(size),
            _ => BinaryPrimitives.ReadUInt64LittleEndian(size),
        };
        return new ZstdFrame(length, content > long.MaxValue ? null : (long?)content, (descriptor & 4) != 0, null);
    }
}

using System.Buffers.Binary;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Packed.Xz;

/// <summary>The first and last twelve bytes of a stream, and numbers of variable length (the .xz file format, sections 1.2 and 2.1).</summary>
internal static class XzHeaders
{
    /// <summary>Bytes of a stream's header, and of its footer.</summary>
    internal const int HeaderBytes = 12;

    /// <summary>Streams, blocks' headers and what fills them up are multiples of this.</summary>
    internal const int Unit = 4;

    private const int MostNumberBytes = 9;

    private static ReadOnlySpan<byte> HeaderMagic => [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0];

    /// <summary>Reads the header of a stream.</summary>
    /// <returns>What check sum its blocks have; null if this is no such header.</returns>
    internal static XzCheck? TryReadHeader(ReadOnlySpan<byte> header) => header.StartsWith(HeaderMagic) && HasSum(header.Slice(6, 2), header.Slice(8)) ? FlagsOf(header.Slice(6)) : null;

    /// <summary>Reads the footer of a stream.</summary>
    /// <param name="footer">Its bytes.</param>
    /// <param name="indexBytes">How long the index before it is.</param>
    /// <returns>What check sum its blocks have; null if this is no such footer.</returns>
    internal static XzCheck? TryReadFooter(ReadOnlySpan<byte> footer, out long indexBytes)
    {
        indexBytes = ((long)BinaryPrimitives.ReadUInt32LittleEndian(footer.Slice(4)) + 1) * Unit;
        return footer.EndsWith("YZ"u8) && HasSum(footer.Slice(4, 6), footer) ? FlagsOf(footer.Slice(8)) : null;
    }

    /// <summary>Whether bytes have the check sum that stands elsewhere.</summary>
    internal static bool HasSum(ReadOnlySpan<byte> data, ReadOnlySpan<byte> stored) => Crc32.Of(data) == BinaryPrimitives.ReadUInt32LittleEndian(stored);

    /// <summary>Reads a number, seven bits a byte from the lowest.</summary>
    /// <param name="next">Gives the next byte.</param>
    /// <returns>Less than 0 if this is none.</returns>
    internal static long ReadNumber(Func<byte> next)
    {
        long value = 0;
        for (int i = 0; i < MostNumberBytes; i++)
        {
            byte part = next();
            value |= (long)(part & 0x7f) << (7 * i);
            if ((part & 0x80) == 0)
            {
                return part == 0 && i > 0 ? -1 : value;
            }
        }

        return -1;
    }

    private static XzCheck? FlagsOf(ReadOnlySpan<byte> flags) => flags[0] == 0 && flags[1] < 16 ? (XzCheck)flags[1] : null;
}

/// <summary>What check sum blocks have.</summary>
internal enum XzCheck
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>That of gzip.</summary>
    Crc32 = 1,

    /// <summary>The usual one.</summary>
    Crc64 = 4,

    /// <summary>SHA-256.</summary>
    Sha256 = 10,
}

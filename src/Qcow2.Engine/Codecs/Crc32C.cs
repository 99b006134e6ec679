using System.Buffers.Binary;
#if NET8_0_OR_GREATER
using System.Numerics;
#endif

namespace Qcow2.Engine.Codecs;

/// <summary>The check sum of iSCSI and VHDX: Castagnoli's polynomial, reflected (RFC 3720, section 12.1).</summary>
internal static class Crc32C
{
#if !NET8_0_OR_GREATER
    private static readonly CrcTable Table = new(0x82f6_3b78);
#endif

    /// <summary>The check sum of some bytes.</summary>
    internal static uint Of(ReadOnlySpan<byte> data) => ~Append(uint.MaxValue, data);

    /// <summary>
    /// The check sum of a structure that holds it: the four bytes of the field count as zeros.
    /// </summary>
    /// <param name="data">The structure.</param>
    /// <param name="field">Where the field is.</param>
    internal static uint OfAllBut(ReadOnlySpan<byte> data, int field)
    {
        uint crc = Append(uint.MaxValue, data.Slice(0, field));
        crc = Append(crc, stackalloc byte[sizeof(uint)]);
        return ~Append(crc, data.Slice(field + sizeof(uint)));
    }

    private static uint Append(uint crc, ReadOnlySpan<byte> data)
    {
#if NET8_0_OR_GREATER
        while (data.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(data));
            data = data.Slice(sizeof(ulong));
        }

        foreach (byte value in data)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return crc;
#else
        return Table.Append(crc, data);
#endif
    }
}

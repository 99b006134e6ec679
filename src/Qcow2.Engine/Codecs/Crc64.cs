using System.Buffers.Binary;

namespace Qcow2.Engine.Codecs;

/// <summary>The check sum of xz: the polynomial of ECMA-182, reflected; eight bytes at a time.</summary>
internal static class Crc64
{
    private const ulong Polynomial = 0xc96c_5795_d787_0f42;
    private const int Tables = sizeof(ulong);
    private const int EntryCount = 256;

    private static readonly ulong[] Entries = Create();

    /// <summary>Goes on with a sum, which is not inverted at either end.</summary>
    /// <param name="crc">The sum so far.</param>
    /// <param name="data">What follows.</param>
    internal static ulong Append(ulong crc, ReadOnlySpan<byte> data)
    {
        ReadOnlySpan<ulong> entries = Entries.AsSpan(0, Tables * EntryCount);
        for (; data.Length >= sizeof(ulong); data = data.Slice(sizeof(ulong)))
        {
            ulong word = BinaryPrimitives.ReadUInt64LittleEndian(data) ^ crc;
            crc = entries[(7 * EntryCount) + (byte)word]
                ^ entries[(6 * EntryCount) + (byte)(word >> 8)]
                ^ entries[(5 * EntryCount) + (byte)(word >> 16)]
                ^ entries[(4 * EntryCount) + (byte)(word >> 24)]
                ^ entries[(3 * EntryCount) + (byte)(word >> 32)]
                ^ entries[(2 * EntryCount) + (byte)(word >> 40)]
                ^ entries[EntryCount + (byte)(word >> 48)]
                ^ entries[(byte)(word >> 56)];
        }

        foreach (byte value in data)
        {
            crc = entries[(byte)(crc ^ value)] ^ (crc >> 8);
        }

        return crc;
    }

    private static ulong[] Create()
    {
        ulong[] table = new ulong[Tables * EntryCount];
        for (uint i = 0; i < EntryCount; i++)
        {
            ulong value = i;
            for (int bit = 0; bit < 8; bit++)
            {
                value = (value & 1) != 0 ? (value >> 1) ^ Polynomial : value >> 1;
            }

            table[i] = value;
        }

        for (int i = EntryCount; i < table.Length; i++)
        {
            table[i] = table[(byte)table[i - EntryCount]] ^ (table[i - EntryCount] >> 8);
        }

        return table;
    }
}

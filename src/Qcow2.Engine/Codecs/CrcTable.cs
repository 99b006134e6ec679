using System.Buffers.Binary;

namespace Qcow2.Engine.Codecs;

/// <summary>A cyclic redundancy check of 32 bits by tables, eight bytes at a time.</summary>
/// <param name="polynomial">The polynomial, reflected.</param>
internal sealed class CrcTable(uint polynomial)
{
    private const int Tables = sizeof(ulong);
    private const int Entries = 256;

    /// <summary>What a byte adds to the sum, and in the further tables what it does when one to seven more bytes come after it.</summary>
    private readonly uint[] _entries = Create(polynomial);

    /// <summary>Goes on with a sum, which is not inverted at either end.</summary>
    /// <param name="crc">The sum so far.</param>
    /// <param name="data">What follows.</param>
    internal uint Append(uint crc, ReadOnlySpan<byte> data)
    {
        ReadOnlySpan<uint> entries = _entries.AsSpan(0, Tables * Entries);
        for (; data.Length >= sizeof(ulong); data = data.Slice(sizeof(ulong)))
        {
            ulong word = BinaryPrimitives.ReadUInt64LittleEndian(data) ^ crc;
            crc = entries[(7 * Entries) + (byte)word]
                ^ entries[(6 * Entries) + (byte)(word >> 8)]
                ^ entries[(5 * Entries) + (byte)(word >> 16)]
                ^ entries[(4 * Entries) + (byte)(word >> 24)]
                ^ entries[(3 * Entries) + (byte)(word >> 32)]
                ^ entries[(2 * Entries) + (byte)(word >> 40)]
                ^ entries[Entries + (byte)(word >> 48)]
                ^ entries[(byte)(word >> 56)];
        }

        foreach (byte value in data)
        {
            crc = entries[(byte)(crc ^ value)] ^ (crc >> 8);
        }

        return crc;
    }

    private static uint[] Create(uint polynomial)
    {
        uint[] table = new uint[Tables * Entries];
        for (uint i = 0; i < Entries; i++)
        {
            uint value = i;
            for (int bit = 0; bit < 8; bit++)
            {
                value = (value & 1) != 0 ? (value >> 1) ^ polynomial : value >> 1;
            }

            table[i] = value;
        }

        for (int i = Entries; i < table.Length; i++)
        {
            table[i] = table[(byte)table[i - Entries]] ^ (table[i - Entries] >> 8);
        }

        return table;
    }
}

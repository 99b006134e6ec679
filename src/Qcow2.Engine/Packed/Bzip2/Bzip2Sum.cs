namespace Qcow2.Engine.Packed.Bzip2;

/// <summary>The check sum of bzip2: the polynomial of IEEE 802.3, from the highest bit.</summary>
internal static class Bzip2Sum
{
    private const uint Polynomial = 0x04c1_1db7;
    private const int Entries = 256;
    private const int Tables = 4;

    private static readonly uint[] Table = Create();

    /// <summary>Goes on with a sum, which is not inverted at either end.</summary>
    internal static uint Append(uint sum, ReadOnlySpan<byte> data)
    {
        uint[] table = Table;
        for (; data.Length >= Tables; data = data.Slice(Tables))
        {
            sum = table[(3 * Entries) + (byte)((sum >> 24) ^ data[0])]
                ^ table[(2 * Entries) + (byte)((sum >> 16) ^ data[1])]
                ^ table[Entries + (byte)((sum >> 8) ^ data[2])]
                ^ table[(byte)(sum ^ data[3])];
        }

        foreach (byte value in data)
        {
            sum = (sum << 8) ^ table[(byte)((sum >> 24) ^ value)];
        }

        return sum;
    }

    private static uint[] Create()
    {
        uint[] table = new uint[Tables * Entries];
        for (uint i = 0; i < Entries; i++)
        {
            uint value = i << 24;
            for (int bit = 0; bit < 8; bit++)
            {
                value = (value & 0x8000_0000) != 0 ? (value << 1) ^ Polynomial : value << 1;
            }

            table[i] = value;
        }

        for (int i = Entries; i < table.Length; i++)
        {
            table[i] = (table[i - Entries] << 8) ^ table[(byte)(table[i - Entries] >> 24)];
        }

        return table;
    }
}

namespace Qcow2.Engine.Codecs;

/// <summary>A cyclic redundancy check of 32 bits by a table, a byte at a time.</summary>
/// <param name="polynomial">The polynomial, reflected.</param>
internal sealed class CrcTable(uint polynomial)
{
    private readonly uint[] _entries = Create(polynomial);

    /// <summary>Goes on with a sum, which is not inverted at either end.</summary>
    /// <param name="crc">The sum so far.</param>
    /// <param name="data">What follows.</param>
    internal uint Append(uint crc, ReadOnlySpan<byte> data)
    {
        uint[] entries = _entries;
        foreach (byte value in data)
        {
            crc = entries[(byte)(crc ^ value)] ^ (crc >> 8);
        }

        return crc;
    }

    private static uint[] Create(uint polynomial)
    {
        uint[] table = new uint[256];
        for (uint i = 0; i < table.Length; i++)
        {
            uint value = i;
            for (int bit = 0; bit < 8; bit++)
            {
                value = (value & 1) != 0 ? (value >> 1) ^ polynomial : value >> 1;
            }

            table[i] = value;
        }

        return table;
    }
}

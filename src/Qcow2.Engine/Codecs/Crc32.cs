namespace Qcow2.Engine.Codecs;

/// <summary>The check sum of GPT, zip and Ethernet: the polynomial of IEEE 802.3, reflected.</summary>
internal static class Crc32
{
    private static readonly CrcTable Table = new(0xedb8_8320);

    /// <summary>The check sum of some bytes.</summary>
    internal static uint Of(ReadOnlySpan<byte> data) => ~Append(uint.MaxValue, data);

    /// <summary>The check sum of a structure that holds it: the four bytes of the field count as zeros.</summary>
    /// <param name="data">The structure.</param>
    /// <param name="field">Where the field is.</param>
    internal static uint OfAllBut(ReadOnlySpan<byte> data, int field)
    {
        uint crc = Append(uint.MaxValue, data.Slice(0, field));
        crc = Append(crc, stackalloc byte[sizeof(uint)]);
        return ~Append(crc, data.Slice(field + sizeof(uint)));
    }

    /// <summary>Goes on with a sum, which is not inverted at either end.</summary>
    /// <param name="crc">The sum so far.</param>
    /// <param name="data">What follows.</param>
    internal static uint Append(uint crc, ReadOnlySpan<byte> data) => Table.Append(crc, data);
}

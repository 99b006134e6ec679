namespace Qcow2.Engine.Codecs;

/// <summary>The check sum of zlib streams (RFC 1950, section 8.2).</summary>
internal static class Adler32
{
    private const uint Modulus = 65_521;

    /// <summary>Most bytes before sums of 32 bits could overflow.</summary>
    private const int MostAtOnce = 5_552;

    /// <summary>The check sum of some bytes.</summary>
    internal static uint Of(ReadOnlySpan<byte> data)
    {
        uint low = 1;
        uint high = 0;
        while (!data.IsEmpty)
        {
            int count = Math.Min(MostAtOnce, data.Length);
            foreach (byte value in data.Slice(0, count))
            {
                low += value;
                high += low;
            }

            low %= Modulus;
            high %= Modulus;
            data = data.Slice(count);
        }

        return (high << 16) | low;
    }
}

namespace Qcow2.Engine.Codecs;

/// <summary>Logarithms as whole numbers, without floating point, whose last bit differs from one framework to the other.</summary>
internal static class FixedLogarithm
{
    internal const int FractionBits = 11;

    private const int TableSize = 4096;

    private static readonly ushort[] Logarithms = CreateLogarithms();

    /// <summary>The logarithm to the base 2 of a number that is not 0, a little less where it is large; 0 for 0.</summary>
    internal static int Of(int value)
    {
        int shift = 0;
        while (value >= TableSize)
        {
            value >>= 1;
            shift++;
        }

        return Logarithms[value] + (shift << FractionBits);
    }

    // One bit of the fraction after the other: the square of a number has twice its logarithm.
    private static ushort[] CreateLogarithms()
    {
        ushort[] logarithms = new ushort[TableSize];
        for (int value = 1; value < TableSize; value++)
        {
            int whole = BitMath.Log2((uint)value);
            ulong mantissa = (ulong)value << (31 - whole);
            int fraction = 0;
            for (int bit = 0; bit < FractionBits; bit++)
            {
                mantissa = mantissa * mantissa >> 31;
                fraction <<= 1;
                if (mantissa >= 1UL << 32)
                {
                    mantissa >>= 1;
                    fraction |= 1;
                }
            }

            logarithms[value] = (ushort)((whole << FractionBits) | fraction);
        }

        return logarithms;
    }
}

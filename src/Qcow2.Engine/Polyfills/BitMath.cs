namespace Qcow2.Engine;

/// <summary>Bit counting on every framework.</summary>
internal static class BitMath
{
#if !NET
    // The six bits above the product of a power of two and this number are different for each.
    private const ulong DeBruijn = 0x03F7_9D71_B4CB_0A89;

    private static readonly byte[] Positions = CreatePositions();
#endif

    /// <summary>Number of one bits before the first zero bit, from the least significant end.</summary>
    internal static int TrailingOnes(uint value)
    {
#if NET
        return System.Numerics.BitOperations.TrailingZeroCount(~value);
#else
        int count = 0;
        while ((value & 1) != 0)
        {
            value >>= 1;
            count++;
        }

        return count;
#endif
    }

    /// <summary>Number of zero bits before the first one bit, from the least significant end, of a number that is not 0.</summary>
    internal static int TrailingZeros(ulong value)
    {
#if NET
        return System.Numerics.BitOperations.TrailingZeroCount(value);
#else
        return Positions[((value & (~value + 1)) * DeBruijn) >> 58];
#endif
    }

    /// <summary>The place of the highest one bit; 0 if there is none.</summary>
    internal static int Log2(uint value)
    {
#if NET
        return System.Numerics.BitOperations.Log2(value);
#else
        value |= value >> 1;
        value |= value >> 2;
        value |= value >> 4;
        value |= value >> 8;
        value |= value >> 16;
        return Positions[((ulong)(value - (value >> 1)) * DeBruijn) >> 58];
#endif
    }

#if !NET
    private static byte[] CreatePositions()
    {
        byte[] positions = new byte[64];
        for (int bit = 0; bit < 64; bit++)
        {
            positions[(DeBruijn << bit) >> 58] = (byte)bit;
        }

        return positions;
    }
#endif
}

namespace Qcow2.Engine;

/// <summary>Bit counting on every framework.</summary>
internal static class BitMath
{
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

    /// <summary>The place of the highest one bit; 0 if there is none.</summary>
    internal static int Log2(uint value)
    {
#if NET
        return System.Numerics.BitOperations.Log2(value);
#else
        int place = 0;
        while ((value >>= 1) != 0)
        {
            place++;
        }

        return place;
#endif
    }
}

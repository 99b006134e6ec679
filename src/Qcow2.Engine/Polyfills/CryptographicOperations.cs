#if NETSTANDARD2_0
using System.Runtime.CompilerServices;

namespace System.Security.Cryptography;

/// <summary>What .NET has under this name and netstandard2.0 lacks.</summary>
internal static class CryptographicOperations
{
    // Neither inlined nor optimised, so that the writes stay though nobody reads the bytes afterwards.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    internal static void ZeroMemory(Span<byte> buffer) => buffer.Clear();

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    internal static bool FixedTimeEquals(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        if (left.Length != right.Length)
        {
            return false;
        }

        int difference = 0;
        for (int i = 0; i < left.Length; i++)
        {
            difference |= left[i] ^ right[i];
        }

        return difference == 0;
    }
}
#endif

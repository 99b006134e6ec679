using System.Runtime.InteropServices;

namespace Qcow2.Engine;

/// <summary>Vectorised searches that netstandard2.0 lacks.</summary>
internal static class SpanSearch
{
    /// <summary>Whether every byte is zero.</summary>
    internal static bool IsAllZero(ReadOnlySpan<byte> bytes)
    {
#if NET
        return bytes.IndexOfAnyExcept((byte)0) < 0;
#else
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        return CountLeadingZeroWords(words) == words.Length && IsEachZero(bytes.Slice(words.Length * sizeof(ulong)));
#endif
    }

    /// <summary>Whether every bit is one.</summary>
    internal static bool IsAllOnes(ReadOnlySpan<byte> bytes)
    {
#if NET
        return bytes.IndexOfAnyExcept(byte.MaxValue) < 0;
#else
        foreach (byte value in bytes)
        {
            if (value != byte.MaxValue)
            {
                return false;
            }
        }

        return true;
#endif
    }

    /// <summary>Number of zero words before the first that is not zero.</summary>
    internal static int CountLeadingZeroWords(ReadOnlySpan<ulong> words)
    {
#if NET
        int index = words.IndexOfAnyExcept(0UL);
        return index < 0 ? words.Length : index;
#else
        int i = 0;
        while (i < words.Length && words[i] == 0)
        {
            i++;
        }

        return i;
#endif
    }

#if !NET
    private static bool IsEachZero(ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            if (value != 0)
            {
                return false;
            }
        }

        return true;
    }
#endif
}

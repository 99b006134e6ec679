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

    /// <summary>Where the first byte is that is not zero; -1 if there is none.</summary>
    internal static int IndexOfNonzero(ReadOnlySpan<byte> bytes)
    {
#if NET
        return bytes.IndexOfAnyExcept((byte)0);
#else
        int start = CountLeadingZeroWords(MemoryMarshal.Cast<byte, ulong>(bytes)) * sizeof(ulong);
        for (int i = start; i < bytes.Length; i++)
        {
            if (bytes[i] != 0)
            {
                return i;
            }
        }

        return -1;
#endif
    }

    /// <summary>Where two runs of bytes of one length first differ; -1 if they do not.</summary>
    internal static int IndexOfDifference(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> others)
    {
#if NET
        int common = bytes.CommonPrefixLength(others);
        return common == bytes.Length ? -1 : common;
#else
        if (bytes.SequenceEqual(others))
        {
            return -1;
        }

        int index = 0;
        while (bytes[index] == others[index])
        {
            index++;
        }

        return index;
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
        // By the byte, which .NET ships compiled; for words, the search is compiled anew in each process, and badly at first.
        int index = MemoryMarshal.AsBytes(words).IndexOfAnyExcept((byte)0);
        return index < 0 ? words.Length : index / sizeof(ulong);
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

namespace Qcow2.Engine.Formats.Qcow2.Bitmaps;

/// <summary>Runs of set bits: least significant bit first, eight to a byte.</summary>
internal static class BitRuns
{
    private const int BitsPerByte = 8;

    /// <summary>The parts of the disk whose bits are set, in order and joined.</summary>
    /// <param name="pieces">Consecutive pieces of the bitmap: the number of the first bit, that of the one behind the last, and the bytes; null for zeros.</param>
    /// <param name="granularityBits">Bytes of the disk that one bit stands for, as a power of two.</param>
    internal static IEnumerable<(long Offset, long Length)> Of(IEnumerable<(long First, long End, byte[]? Bits)> pieces, int granularityBits)
    {
        long start = -1;
        long last = 0;
        foreach ((long first, long end, byte[]? bits) in pieces)
        {
            for (long bit = first; bit < end;)
            {
                int inPiece = (int)(bit - first);
                byte value = bits is null ? (byte)0 : bits[inPiece / BitsPerByte];
                bool isWhole = inPiece % BitsPerByte == 0 && value is 0 or byte.MaxValue;
                bool isSet = (value & (1 << (inPiece % BitsPerByte))) != 0;
                if (isSet && start < 0)
                {
                    start = bit;
                }
                else if (!isSet && start >= 0)
                {
                    yield return (start << granularityBits, (bit - start) << granularityBits);
                    start = -1;
                }

                bit = bits is null ? end : Math.Min(end, bit + (isWhole ? BitsPerByte : 1));
            }

            last = end;
        }

        if (start >= 0)
        {
            yield return (start << granularityBits, (last - start) << granularityBits);
        }
    }
}

namespace Qcow2.Engine.Codecs;

/// <summary>
/// A prefix code (RFC 1951, section 3.2.2), looked up by the next bits of a stream: as many as the index has, and for longer codes the rest in
/// a table behind it. Built anew for each block; built fast, as a cluster has few symbols.
/// </summary>
internal sealed class InflateTable
{
    private readonly int _indexBits;
    private readonly uint _missing;
    private readonly ushort[] _sorted;

    /// <summary>Makes a table.</summary>
    /// <param name="indexBits">Bits of the first look-up.</param>
    /// <param name="symbols">Symbols of the alphabet.</param>
    /// <param name="missing">What stands where there is no code, if there may be such a place.</param>
    internal InflateTable(int indexBits, int symbols, uint missing)
    {
        _indexBits = indexBits;
        _missing = missing;
        _sorted = new ushort[symbols];

        // A table behind it for k bits is full, so it has k + 1 codes at least. The most room for each code is taken where k is greatest.
        int rest = DeflateAlphabet.MaxCodeLength - indexBits;
        Entries = new uint[(1 << indexBits) + ((symbols << rest) / (rest + 1))];
    }

    /// <summary>See <see cref="InflateSymbols"/>.</summary>
    internal uint[] Entries { get; }

    /// <summary>Makes the table of a code.</summary>
    /// <param name="lengths">The length of each symbol's code; 0 for none. None is longer than 15.</param>
    /// <param name="symbols">What each symbol means.</param>
    /// <param name="mayBeSingle">Whether there may be a single code of one bit, which leaves the other bit without meaning.</param>
    /// <returns>
    /// False if there are more codes than there is room for, or fewer. No code at all is taken, as zlib does: it is an error only where a code is looked for.
    /// </returns>
    internal bool TryBuild(ReadOnlySpan<byte> lengths, uint[] symbols, bool mayBeSingle)
    {
        Span<int> counts = stackalloc int[DeflateAlphabet.MaxCodeLength + 1];
        counts.Clear();
        foreach (byte length in lengths)
        {
            counts[length]++;
        }

        counts[0] = 0;
        Span<int> places = stackalloc int[DeflateAlphabet.MaxCodeLength + 2];
        places[1] = 0;
        int room = 1;
        for (int length = 1; length <= DeflateAlphabet.MaxCodeLength; length++)
        {
            room = (room << 1) - counts[length];
            if (room < 0)
            {
                return false;
            }

            places[length + 1] = places[length] + counts[length];
        }

        int used = places[DeflateAlphabet.MaxCodeLength + 1];
        for (int symbol = 0; symbol < lengths.Length; symbol++)
        {
            if (lengths[symbol] != 0)
            {
                _sorted[places[lengths[symbol]]++] = (ushort)symbol;
            }
        }

        if (room == 0)
        {
            Fill(counts, symbols);
            return true;
        }

        return (used == 0 || (mayBeSingle && used == 1 && counts[1] == 1)) && FillAlmostNothing(used, symbols);
    }

    /// <summary>A code of one symbol or of none.</summary>
    private bool FillAlmostNothing(int used, uint[] symbols)
    {
        Span<uint> entries = Entries.AsSpan(0, 1 << _indexBits);
        entries.Fill(_missing + InflateSymbols.CodeBit);
        for (int i = 0; used > 0 && i < entries.Length; i += 2)
        {
            entries[i] = symbols[_sorted[0]] + InflateSymbols.CodeBit;
        }

        return true;
    }

    /// <summary>
    /// Codes come in the order of their lengths. A table for codes of so many bits, twice behind itself, is that for one bit more; so each code
    /// is written once, and the rest is copied in large pieces.
    /// </summary>
    private void Fill(ReadOnlySpan<int> counts, uint[] symbols)
    {
        uint[] entries = Entries;
        int next = 0;
        int length = 1;
        uint code = 0;
        for (; length <= _indexBits; length++)
        {
            for (int count = counts[length]; count > 0; count--)
            {
                entries[code] = symbols[_sorted[next++]] + ((uint)length * InflateSymbols.CodeBit);
                if (!TryAdvance(ref code, length))
                {
                    Repeat(length, _indexBits);
                    return;
                }
            }

            if (length < _indexBits)
            {
                Repeat(length, length + 1);
            }
        }

        FillBehind(counts, symbols, next, code);
    }

    private void Repeat(int length, int untilLength)
    {
        for (; length < untilLength; length++)
        {
            Entries.AsSpan(0, 1 << length).CopyTo(Entries.AsSpan(1 << length));
        }
    }

    /// <summary>Codes that are longer than the index: a table for all that begin with the same bits.</summary>
    private void FillBehind(ReadOnlySpan<int> counts, uint[] symbols, int next, uint code)
    {
        uint[] entries = Entries;
        uint indexMask = (1u << _indexBits) - 1;
        uint index = uint.MaxValue;
        int begin = 0;
        int end = 1 << _indexBits;
        for (int length = _indexBits + 1; ; length++)
        {
            for (int count = counts[length]; count > 0; count--)
            {
                if ((code & indexMask) != index)
                {
                    // As many bits as it takes until the codes that come now have filled the table.
                    int bits = length - _indexBits;
                    for (int filled = count; filled < 1 << bits; filled = (filled << 1) + counts[_indexBits + bits])
                    {
                        bits++;
                    }

                    index = code & indexMask;
                    begin = end;
                    end = begin + (1 << bits);
                    entries[index] = InflateSymbols.Exceptional | InflateSymbols.Continued | ((uint)begin << InflateSymbols.BaseShift)
                        | ((uint)bits << InflateSymbols.CodeShift) | (uint)_indexBits;
                }

                int rest = length - _indexBits;
                uint entry = symbols[_sorted[next++]] + ((uint)rest * InflateSymbols.CodeBit);
                for (int i = begin + (int)(code >> _indexBits); i < end; i += 1 << rest)
                {
                    entries[i] = entry;
                }

                if (!TryAdvance(ref code, length))
                {
                    return;
                }
            }
        }
    }

    /// <summary>The next code of a length: codes count up from their first bit, which is the lowest here. False after the last.</summary>
    private static bool TryAdvance(ref uint code, int length)
    {
        uint zeros = code ^ ((1u << length) - 1);
        if (zeros == 0)
        {
            return false;
        }

        uint highestZero = 1u << BitMath.Log2(zeros);
        code = (code & (highestZero - 1)) | highestZero;
        return true;
    }
}

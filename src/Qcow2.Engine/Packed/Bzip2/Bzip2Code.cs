namespace Qcow2.Engine.Packed.Bzip2;

/// <summary>A prefix code of bzip2: codes of one length are consecutive numbers, longer ones come after shorter ones.</summary>
internal sealed class Bzip2Code
{
    internal const int MostBits = 20;
    internal const int MostSymbols = 258;

    private const int IndexBits = 10;

    private readonly ushort[] _index = new ushort[1 << IndexBits];
    private readonly ushort[] _symbols = new ushort[MostSymbols];
    private readonly uint[] _ends = new uint[MostBits + 2];
    private readonly int[] _places = new int[MostBits + 2];

    /// <summary>Builds the code.</summary>
    /// <param name="lengths">Bits of each symbol's code, 1 to 20.</param>
    /// <returns>False if there are more codes than there is room for.</returns>
    internal bool TryBuild(ReadOnlySpan<byte> lengths)
    {
        _index.AsSpan().Clear();
        uint code = 0;
        int place = 0;
        for (int length = 1; length <= MostBits; length++)
        {
            _places[length] = place - (int)code;
            for (int symbol = 0; symbol < lengths.Length; symbol++)
            {
                if (lengths[symbol] != length)
                {
                    continue;
                }

                if (code >> length != 0)
                {
                    return false;
                }

                if (length <= IndexBits)
                {
                    _index.AsSpan((int)code << (IndexBits - length), 1 << (IndexBits - length)).Fill((ushort)((symbol << 5) | length));
                }

                _symbols[place++] = (ushort)symbol;
                code++;
            }

            // What a code of this length is less than, with zeros behind it up to the most bits.
            _ends[length] = code << (MostBits - length);
            code <<= 1;
        }

        return true;
    }

    /// <summary>Takes a symbol.</summary>
    /// <returns>Less than 0 if there is no such code.</returns>
    internal int Take(Bzip2Bits bits)
    {
        uint next = bits.Peek(MostBits);
        int entry = _index[next >> (MostBits - IndexBits)];
        if (entry != 0)
        {
            bits.Skip(entry & 31);
            return entry >> 5;
        }

        for (int length = 1; length <= MostBits; length++)
        {
            if (next < _ends[length])
            {
                bits.Skip(length);
                return _symbols[_places[length] + (int)(next >> (MostBits - length))];
            }
        }

        return -1;
    }
}

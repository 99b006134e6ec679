namespace Qcow2.Engine.Codecs;

/// <summary>A prefix code for an alphabet (RFC 1951, section 3.2.2): the lengths say everything.</summary>
internal sealed class HuffmanCode
{
    // Frequencies are sorted by one digit after the other.
    private const int DigitBits = 8;
    private const int Digits = 1 << DigitBits;

    private static readonly byte[] ReversedBytes = CreateReversedBytes();

    private readonly int _maxLength;
    private readonly byte[] _lengths;
    private readonly ushort[] _bits;
    private readonly int[] _order;
    private readonly int[] _weights;
    private readonly int[] _sorted;
    private readonly int[] _places = new int[Digits];
    private readonly int[] _lengthCounts = new int[DeflateAlphabet.MaxCodeLength + 1];

    /// <param name="symbols">Symbols of the alphabet.</param>
    /// <param name="maxLength">Bits of a symbol at most.</param>
    internal HuffmanCode(int symbols, int maxLength)
    {
        _maxLength = maxLength;
        _lengths = new byte[symbols];
        _bits = new ushort[symbols];
        _order = new int[symbols];
        _weights = new int[symbols];
        _sorted = new int[symbols];
    }

    /// <summary>Bits of each symbol; 0 for one that does not occur.</summary>
    internal ReadOnlySpan<byte> Lengths => _lengths;

    /// <summary>The bits of each symbol, the first one lowest.</summary>
    internal ReadOnlySpan<ushort> Bits => _bits;

    /// <summary>Takes the lengths as they are.</summary>
    internal void SetLengths(ReadOnlySpan<byte> lengths)
    {
        lengths.CopyTo(_lengths);
        Array.Clear(_lengthCounts, 0, _lengthCounts.Length);
        foreach (byte length in lengths)
        {
            _lengthCounts[length]++;
        }

        AssignBits();
    }

    /// <summary>Makes the code that is shortest for how often the symbols occur.</summary>
    internal void Build(ReadOnlySpan<int> frequencies)
    {
        Array.Clear(_lengths, 0, _lengths.Length);
        int used = 0;
        int all = 0;
        for (int symbol = 0; symbol < frequencies.Length; symbol++)
        {
            if (frequencies[symbol] != 0)
            {
                _order[used++] = symbol;
                all |= frequencies[symbol];
            }
        }

        Array.Clear(_lengthCounts, 0, _lengthCounts.Length);
        if (used == 1)
        {
            _lengthCounts[1] = 1;
        }
        else if (used > 1)
        {
            for (int shift = 0; shift < 32 && all >> shift != 0; shift += DigitBits)
            {
                Sort(frequencies, used, shift);
            }

            for (int i = 0; i < used; i++)
            {
                _weights[i] = frequencies[_order[i]];
            }

            ToDepths(_weights.AsSpan(0, used));
            CountLengths(used);
        }

        // The rarest first, and so the longest.
        for (int length = _maxLength, next = 0; length > 0; length--)
        {
            for (int i = 0; i < _lengthCounts[length]; i++)
            {
                _lengths[_order[next++]] = (byte)length;
            }
        }

        AssignBits();
    }

    /// <summary>Bits that symbols occurring so often take.</summary>
    internal long Cost(ReadOnlySpan<int> frequencies)
    {
        long bits = 0;
        for (int symbol = 0; symbol < frequencies.Length; symbol++)
        {
            bits += (long)frequencies[symbol] * _lengths[symbol];
        }

        return bits;
    }

    /// <summary>Sorts the symbols by a digit of their frequency; where it is the same they stay in their order.</summary>
    private void Sort(ReadOnlySpan<int> frequencies, int used, int shift)
    {
        Array.Clear(_places, 0, Digits);
        for (int i = 0; i < used; i++)
        {
            _places[(frequencies[_order[i]] >> shift) & (Digits - 1)]++;
        }

        int place = 0;
        for (int digit = 0; digit < Digits; digit++)
        {
            int count = _places[digit];
            _places[digit] = place;
            place += count;
        }

        for (int i = 0; i < used; i++)
        {
            int symbol = _order[i];
            _sorted[_places[(frequencies[symbol] >> shift) & (Digits - 1)]++] = symbol;
        }

        Array.Copy(_sorted, _order, used);
    }

    /// <summary>
    /// Turns weights in ascending order into the depths of their leaves, in place (Moffat and Katajainen, "In-place calculation of
    /// minimum-redundancy codes", 1995).
    /// </summary>
    private static void ToDepths(Span<int> nodes)
    {
        int count = nodes.Length;

        // Weights of inner nodes, then the indices of their parents.
        int leaf = 0;
        int root = 0;
        for (int next = 0; next < count - 1; next++)
        {
            int weight = 0;
            for (int child = 0; child < 2; child++)
            {
                if (leaf >= count || (root < next && nodes[root] < nodes[leaf]))
                {
                    weight += nodes[root];
                    nodes[root++] = next;
                }
                else
                {
                    weight += nodes[leaf++];
                }
            }

            nodes[next] = weight;
        }

        // Depths of inner nodes.
        nodes[count - 2] = 0;
        for (int next = count - 3; next >= 0; next--)
        {
            nodes[next] = nodes[nodes[next]] + 1;
        }

        // Depths of leaves: where a level has fewer inner nodes than places, leaves take the rest.
        int places = 1;
        int depth = 0;
        int inner = count - 2;
        int write = count - 1;
        while (places > 0)
        {
            int used = 0;
            while (inner >= 0 && nodes[inner] == depth)
            {
                used++;
                inner--;
            }

            for (; places > used; places--)
            {
                nodes[write--] = depth;
            }

            places = 2 * used;
            depth++;
        }
    }

    /// <summary>Counts how many symbols have each length, none of which may pass the maximum.</summary>
    private void CountLengths(int used)
    {
        long room = 1L << _maxLength;
        for (int i = 0; i < used; i++)
        {
            int length = Math.Min(_weights[i], _maxLength);
            _lengthCounts[length]++;
            room -= 1L << (_maxLength - length);
        }

        // Those that were cut take more room than there is: lengthen the longest that are shorter, which costs least.
        while (room < 0)
        {
            int length = _maxLength - 1;
            while (_lengthCounts[length] == 0)
            {
                length--;
            }

            _lengthCounts[length]--;
            _lengthCounts[length + 1]++;
            room += 1L << (_maxLength - length - 1);
        }

        // And what the last one gave too much goes back.
        for (int length = _maxLength; room > 0 && length > 1;)
        {
            long gain = 1L << (_maxLength - length);
            if (_lengthCounts[length] > 0 && gain <= room)
            {
                _lengthCounts[length]--;
                _lengthCounts[length - 1]++;
                room -= gain;
            }
            else
            {
                length--;
            }
        }
    }

    private void AssignBits()
    {
        Span<int> next = stackalloc int[DeflateAlphabet.MaxCodeLength + 1];
        int code = 0;
        for (int length = 1; length <= _maxLength; length++)
        {
            next[length] = code;
            code = (code + _lengthCounts[length]) << 1;
        }

        for (int symbol = 0; symbol < _lengths.Length; symbol++)
        {
            int length = _lengths[symbol];
            _bits[symbol] = length == 0 ? (ushort)0 : Reverse(next[length]++, length);
        }
    }

    // Codes go into the stream from their highest bit, everything else from its lowest.
    private static ushort Reverse(int code, int length)
        => (ushort)(((ReversedBytes[code & 0xff] << 8) | ReversedBytes[code >> 8]) >> (16 - length));

    private static byte[] CreateReversedBytes()
    {
        byte[] reversed = new byte[256];
        for (int value = 1; value < reversed.Length; value++)
        {
            reversed[value] = (byte)((reversed[value >> 1] >> 1) | ((value & 1) << 7));
        }

        return reversed;
    }
}

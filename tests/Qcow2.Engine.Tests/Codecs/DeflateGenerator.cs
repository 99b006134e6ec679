namespace Qcow2.Engine.Tests.Codecs;

/// <summary>Random deflate that is valid, with what no encoder writes: codes of any shape, empty blocks, matches that overlap themselves in every way.</summary>
internal sealed class DeflateGenerator(Random random)
{
    private static readonly int[] FixedLengths = [.. Enumerable.Range(0, 288).Select(i => i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)];
    private static readonly int[] FixedDistanceLengths = [.. Enumerable.Repeat(5, 32)];

    private static readonly string[] FixedCodes = Codes(FixedLengths);
    private static readonly string[] FixedDistanceCodes = Codes(FixedDistanceLengths);

    private readonly DeflateBits _bits = new();
    private readonly List<byte> _content = [];

    /// <summary>A stream and what it holds, about so many bytes.</summary>
    internal (byte[] Stream, byte[] Content) Create(int length)
    {
        bool isLast;
        do
        {
            isLast = _content.Count >= length;
            _bits.Number(isLast ? 1 : 0, 1);
            int room = random.Next(4) == 0 ? 0 : random.Next(1, Math.Max(2, length));
            switch (random.Next(4))
            {
                case 0: Stored(Math.Min(room, 40)); break;
                case 1: Fixed(room); break;
                default: Dynamic(room); break;
            }
        }
        while (!isLast);

        return (_bits.ToArray(), [.. _content]);
    }

    /// <summary>Stored bytes, one match, and zeros behind it.</summary>
    internal static (byte[] Stream, byte[] Content) OneMatch(byte[] window, int distance, int length, int behind)
    {
        DeflateBits bits = new DeflateBits().Number(0, 3).Align().Number(window.Length, 16).Number(window.Length ^ 0xffff, 16).Bytes(window).Bits("1 10");
        int symbol = Array.FindLastIndex(DeflateReader.LengthBases, first => first <= length);
        bits.Bits(FixedCodes[257 + symbol]).Number(length - DeflateReader.LengthBases[symbol], DeflateReader.LengthBits[symbol]);
        symbol = Array.FindLastIndex(DeflateReader.DistanceBases, first => first <= distance);
        bits.Bits(FixedDistanceCodes[symbol]).Number(distance - DeflateReader.DistanceBases[symbol], DeflateReader.DistanceBits(symbol));
        List<byte> content = [.. window];
        for (; length > 0; length--)
        {
            content.Add(content[^distance]);
        }

        for (int i = 0; i < behind; i++)
        {
            bits.Bits(FixedCodes[0]);
            content.Add(0);
        }

        return (bits.Bits(FixedCodes[256]).ToArray(), [.. content]);
    }

    private void Stored(int count)
    {
        byte[] bytes = new byte[count];
        random.NextBytes(bytes);
        _bits.Number(0, 2).Align().Number(count, 16).Number(count ^ 0xffff, 16).Bytes(bytes);
        _content.AddRange(bytes);
    }

    private void Fixed(int count)
    {
        _bits.Number(1, 2);
        Symbols(FixedLengths, FixedDistanceLengths, count);
    }

    private void Dynamic(int count)
    {
        // 256 is in each code, alone in some.
        int literals = random.Next(257, 287);
        int[] literalLengths = Lengths(literals, random.Next(6) switch { 0 => 1, 1 => literals, _ => random.Next(2, literals + 1) }, 15, required: 256);
        int distances = random.Next(1, 31);
        int[] distanceLengths = Lengths(distances, random.Next(6) switch { 0 => 0, 1 => 1, _ => random.Next(0, distances + 1) }, 15, required: -1);

        var symbols = RunLengths([.. literalLengths, .. distanceLengths]);
        int[] used = [.. symbols.Select(symbol => symbol.Symbol).Distinct()];
        int[] orderLengths = Lengths(19, Math.Max(2, random.Next(used.Length, 20)), 7, used);
        int orders = DeflateReader.Order.Select((symbol, i) => orderLengths[symbol] > 0 ? i + 1 : 0).Max();
        orders = Math.Max(4, random.Next(orders, 20));
        _bits.Number(2, 2).Number(literals - 257, 5).Number(distances - 1, 5).Number(orders - 4, 4);
        for (int i = 0; i < orders; i++)
        {
            _bits.Number(orderLengths[DeflateReader.Order[i]], 3);
        }

        string[] codes = Codes(orderLengths);
        foreach ((int symbol, int extra, int bits) in symbols)
        {
            _bits.Bits(codes[symbol]).Number(extra, bits);
        }

        Symbols(literalLengths, distanceLengths, count);
    }

    private void Symbols(int[] literalLengths, int[] distanceLengths, int count)
    {
        string[] literalCodes = Codes(literalLengths);
        string[] distanceCodes = Codes(distanceLengths);
        int[] literals = [.. Enumerable.Range(0, Math.Min(256, literalLengths.Length)).Where(symbol => literalLengths[symbol] > 0)];
        int[] lengths = [.. Enumerable.Range(257, 29).Where(symbol => symbol < literalLengths.Length && literalLengths[symbol] > 0)];
        int[] distances = [.. Enumerable.Range(0, 30).Where(symbol => symbol < distanceLengths.Length && distanceLengths[symbol] > 0)];
        double matches = random.NextDouble();
        bool isNear = random.Next(2) == 0;
        for (int end = _content.Count + count; _content.Count < end;)
        {
            int[] reachable = [.. distances.Where(symbol => DeflateReader.DistanceBases[symbol] <= _content.Count)];
            if (reachable.Length > 0 && lengths.Length > 0 && (literals.Length == 0 || random.NextDouble() < matches))
            {
                int symbol = lengths[random.Next(lengths.Length)];
                int extra = random.Next(1 << DeflateReader.LengthBits[symbol - 257]);
                _bits.Bits(literalCodes[symbol]).Number(extra, DeflateReader.LengthBits[symbol - 257]);
                int length = DeflateReader.LengthBases[symbol - 257] + extra;

                symbol = isNear ? reachable[0] : reachable[random.Next(reachable.Length)];
                int most = Math.Min((1 << DeflateReader.DistanceBits(symbol)) - 1, _content.Count - DeflateReader.DistanceBases[symbol]);
                extra = random.Next(8) == 0 ? most : random.Next(most + 1);
                _bits.Bits(distanceCodes[symbol]).Number(extra, DeflateReader.DistanceBits(symbol));
                for (int distance = DeflateReader.DistanceBases[symbol] + extra; length > 0; length--)
                {
                    _content.Add(_content[^distance]);
                }
            }
            else if (literals.Length > 0)
            {
                int literal = literals[random.Next(literals.Length)];
                _bits.Bits(literalCodes[literal]);
                _content.Add((byte)literal);
            }
            else
            {
                break;
            }
        }

        _bits.Bits(literalCodes[256]);
    }

    /// <summary>The lengths of a random code of so many symbols: the leaves of a tree that grew at random, or as deep as it could.</summary>
    private int[] Lengths(int symbols, int used, int maxLength, params int[] required)
    {
        int[] lengths = new int[symbols];
        var leaves = new List<int>();
        if (used > 0)
        {
            leaves.Add(used == 1 ? 1 : 0);
        }

        bool isDeep = random.Next(2) == 0;
        while (leaves.Count < used)
        {
            int leaf = isDeep && random.Next(8) != 0 && leaves[^1] < maxLength ? leaves.Count - 1 : random.Next(leaves.Count);
            if (leaves[leaf] < maxLength)
            {
                leaves[leaf]++;
                leaves.Add(leaves[leaf]);
            }
        }

        int[] chosen = [.. Enumerable.Range(0, symbols).Except(required)];
        random.Shuffle(chosen);
        chosen = [.. required.Where(symbol => symbol >= 0), .. chosen];
        int[] shuffled = [.. leaves];
        random.Shuffle(shuffled);
        for (int i = 0; i < shuffled.Length; i++)
        {
            lengths[chosen[i]] = shuffled[i];
        }

        return lengths;
    }

    /// <summary>Lengths as the symbols of section 3.2.7, with repetitions or without.</summary>
    private List<(int Symbol, int Extra, int Bits)> RunLengths(int[] lengths)
    {
        var symbols = new List<(int, int, int)>();
        for (int i = 0; i < lengths.Length;)
        {
            int run = 1;
            while (i + run < lengths.Length && lengths[i + run] == lengths[i])
            {
                run++;
            }

            int count = random.Next(1, run + 1);
            if (lengths[i] == 0 && count >= 11)
            {
                count = Math.Min(count, 138);
                symbols.Add((18, count - 11, 7));
            }
            else if (lengths[i] == 0 && count >= 3)
            {
                symbols.Add((17, count - 3, 3));
            }
            else if (i > 0 && lengths[i - 1] == lengths[i] && count >= 3)
            {
                count = Math.Min(count, 6);
                symbols.Add((16, count - 3, 2));
            }
            else
            {
                count = 1;
                symbols.Add((lengths[i], 0, 0));
            }

            i += count;
        }

        return symbols;
    }

    /// <summary>The codes of section 3.2.2, as zeros and ones.</summary>
    private static string[] Codes(int[] lengths)
    {
        string[] codes = new string[lengths.Length];
        int code = 0;
        for (int length = 1; length <= 15; length++, code <<= 1)
        {
            for (int symbol = 0; symbol < lengths.Length; symbol++)
            {
                if (lengths[symbol] == length)
                {
                    codes[symbol] = string.Concat(Enumerable.Range(0, length).Select(i => (char)('0' + ((code >> (length - 1 - i)) & 1))));
                    code++;
                }
            }
        }

        return codes;
    }
}

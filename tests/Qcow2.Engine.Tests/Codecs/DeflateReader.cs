namespace Qcow2.Engine.Tests.Codecs;

/// <summary>Inflates raw deflate by the letter of RFC 1951, and keeps count of how far back it looks.</summary>
internal sealed class DeflateReader(byte[] stream)
{
    internal static readonly int[] LengthBases =
    [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
    ];

    internal static readonly int[] LengthBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];

    internal static readonly int[] DistanceBases =
    [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193,
        12_289, 16_385, 24_577,
    ];

    internal static readonly int[] Order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

    private readonly List<byte> _output = [];
    private long _bit;

    /// <summary>The greatest distance of a match.</summary>
    internal int MaxDistance { get; private set; }

    /// <summary>How many blocks there are of each type.</summary>
    internal int[] BlockTypes { get; } = new int[3];

    /// <summary>Bits that follow the code of a distance.</summary>
    internal static int DistanceBits(int symbol) => symbol < 4 ? 0 : (symbol / 2) - 1;

    /// <summary>Inflates the stream, which must end in its last byte.</summary>
    internal byte[] ReadAll()
    {
        bool isLast;
        do
        {
            isLast = Bits(1) == 1;
            int type = Bits(2);
            BlockTypes[type]++;
            switch (type)
            {
                case 0: ReadStored(); break;
                case 1: ReadSymbols(FixedLengths(), [.. Enumerable.Repeat(5, 30)]); break;
                default: ReadDynamic(); break;
            }
        }
        while (!isLast);

        Assert.Equal(stream.Length, (int)((_bit + 7) / 8));
        return [.. _output];
    }

    private int Bits(int count)
    {
        int value = 0;
        for (int i = 0; i < count; i++, _bit++)
        {
            value |= ((stream[_bit / 8] >> (int)(_bit % 8)) & 1) << i;
        }

        return value;
    }

    private void ReadStored()
    {
        _bit = (_bit + 7) / 8 * 8;
        int length = Bits(16);
        Assert.Equal(length ^ 0xffff, Bits(16));
        for (int i = 0; i < length; i++)
        {
            _output.Add((byte)Bits(8));
        }
    }

    private void ReadDynamic()
    {
        int literals = Bits(5) + 257;
        int distances = Bits(5) + 1;
        int orders = Bits(4) + 4;
        int[] orderLengths = new int[19];
        for (int i = 0; i < orders; i++)
        {
            orderLengths[Order[i]] = Bits(3);
        }

        var code = new Code(orderLengths);
        var lengths = new List<int>();
        while (lengths.Count < literals + distances)
        {
            int symbol = code.Read(this);
            (int value, int count) = symbol switch
            {
                16 => (lengths[^1], Bits(2) + 3),
                17 => (0, Bits(3) + 3),
                18 => (0, Bits(7) + 11),
                _ => (symbol, 1),
            };
            lengths.AddRange(Enumerable.Repeat(value, count));
        }

        Assert.Equal(literals + distances, lengths.Count);
        ReadSymbols([.. lengths.Take(literals)], [.. lengths.Skip(literals)]);
    }

    private void ReadSymbols(int[] literalLengths, int[] distanceLengths)
    {
        var literals = new Code(literalLengths);
        var distances = new Code(distanceLengths);
        for (int symbol; (symbol = literals.Read(this)) != 256;)
        {
            if (symbol < 256)
            {
                _output.Add((byte)symbol);
                continue;
            }

            int length = LengthBases[symbol - 257] + Bits(LengthBits[symbol - 257]);
            int code = distances.Read(this);
            int distance = DistanceBases[code] + Bits(DistanceBits(code));
            MaxDistance = Math.Max(MaxDistance, distance);
            for (; length > 0; length--)
            {
                _output.Add(_output[_output.Count - distance]);
            }
        }
    }

    private static int[] FixedLengths()
        => [.. Enumerable.Range(0, 288).Select(symbol => symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8)];

    /// <summary>A prefix code, read bit by bit: codes of one length follow each other, in the order of their symbols.</summary>
    private sealed class Code
    {
        private readonly int[] _counts = new int[16];
        private readonly int[] _symbols;

        internal Code(int[] lengths)
        {
            _symbols = [.. Enumerable.Range(0, lengths.Length).Where(symbol => lengths[symbol] != 0).OrderBy(symbol => lengths[symbol])];
            int room = 1 << 15;
            foreach (int symbol in _symbols)
            {
                _counts[lengths[symbol]]++;
                room -= 1 << (15 - lengths[symbol]);
            }

            Assert.True(room >= 0, "More symbols than there are codes.");
        }

        internal int Read(DeflateReader reader)
        {
            int code = 0;
            int first = 0;
            int index = 0;
            for (int length = 1; length <= 15; length++)
            {
                code |= reader.Bits(1);
                if (code - first < _counts[length])
                {
                    return _symbols[index + code - first];
                }

                index += _counts[length];
                first = (first + _counts[length]) << 1;
                code <<= 1;
            }

            throw new InvalidDataException("No symbol has this code.");
        }
    }
}

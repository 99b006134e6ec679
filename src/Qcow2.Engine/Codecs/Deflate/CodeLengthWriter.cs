namespace Qcow2.Engine.Codecs;

/// <summary>Writes the lengths of a dynamic block's two codes, themselves packed with a code (RFC 1951, section 3.2.7).</summary>
internal sealed class CodeLengthWriter
{
    private const int RepeatPrevious = 16;
    private const int RepeatZero = 17;
    private const int RepeatZeroLong = 18;
    private const int MinLiterals = 257;
    private const int MinDistances = 1;
    private const int MinOrders = 4;

    private readonly byte[] _lengths = new byte[DeflateAlphabet.LiteralCount + DeflateAlphabet.DistanceCount];
    private readonly byte[] _symbols = new byte[DeflateAlphabet.LiteralCount + DeflateAlphabet.DistanceCount];
    private readonly byte[] _extras = new byte[DeflateAlphabet.LiteralCount + DeflateAlphabet.DistanceCount];
    private readonly int[] _frequencies = new int[19];
    private readonly HuffmanCode _code = new(19, 7);
    private int _literals;
    private int _distances;
    private int _orders;
    private int _count;

    private static ReadOnlySpan<byte> Order => [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

    /// <summary>Packs the lengths.</summary>
    /// <returns>Bits that <see cref="Write"/> will take.</returns>
    internal long Prepare(HuffmanCode literals, HuffmanCode distances)
    {
        _literals = CountUsed(literals.Lengths, MinLiterals);
        _distances = CountUsed(distances.Lengths, MinDistances);
        literals.Lengths.Slice(0, _literals).CopyTo(_lengths);
        distances.Lengths.Slice(0, _distances).CopyTo(_lengths.AsSpan(_literals));
        Pack(_lengths.AsSpan(0, _literals + _distances));
        _code.Build(_frequencies);
        _orders = Order.Length;
        while (_orders > MinOrders && _code.Lengths[Order[_orders - 1]] == 0)
        {
            _orders--;
        }

        long extra = (2 * _frequencies[RepeatPrevious]) + (3 * _frequencies[RepeatZero]) + (7 * _frequencies[RepeatZeroLong]);
        return 5 + 5 + 4 + (3 * _orders) + _code.Cost(_frequencies) + extra;
    }

    internal void Write(ref DeflateBitWriter writer)
    {
        writer.Write((uint)(_literals - MinLiterals), 5);
        writer.Write((uint)(_distances - MinDistances), 5);
        writer.Write((uint)(_orders - MinOrders), 4);
        for (int i = 0; i < _orders; i++)
        {
            writer.Write(_code.Lengths[Order[i]], 3);
        }

        for (int i = 0; i < _count; i++)
        {
            int symbol = _symbols[i];
            writer.Write(_code.Bits[symbol], _code.Lengths[symbol]);
            writer.Write(_extras[i], ExtraBits(symbol));
        }
    }

    private static int ExtraBits(int symbol) => symbol switch
    {
        RepeatPrevious => 2,
        RepeatZero => 3,
        RepeatZeroLong => 7,
        _ => 0,
    };

    private static int CountUsed(ReadOnlySpan<byte> lengths, int minimum)
    {
        int count = lengths.Length;
        while (count > minimum && lengths[count - 1] == 0)
        {
            count--;
        }

        return count;
    }

    private void Pack(ReadOnlySpan<byte> lengths)
    {
        Array.Clear(_frequencies, 0, _frequencies.Length);
        _count = 0;
        for (int i = 0; i < lengths.Length;)
        {
            byte length = lengths[i];
            int run = 1;
            while (i + run < lengths.Length && lengths[i + run] == length)
            {
                run++;
            }

            i += run;
            if (length != 0)
            {
                Add(length, 0);
                run--;
            }

            for (; run >= 3; run -= Repeat(length, run))
            {
            }

            for (; run > 0; run--)
            {
                Add(length, 0);
            }
        }
    }

    private int Repeat(byte length, int run)
    {
        int most = length != 0 ? 6 : run > 10 ? 138 : 10;
        int least = most == 138 ? 11 : 3;
        int count = Math.Min(run, most);
        Add((byte)(length != 0 ? RepeatPrevious : most == 138 ? RepeatZeroLong : RepeatZero), (byte)(count - least));
        return count;
    }

    private void Add(byte symbol, byte extra)
    {
        _symbols[_count] = symbol;
        _extras[_count++] = extra;
        _frequencies[symbol]++;
    }
}

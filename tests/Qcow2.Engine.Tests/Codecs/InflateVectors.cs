namespace Qcow2.Engine.Tests.Codecs;

/// <summary>Deflate by hand: codes as zeros and ones in the order of the stream, and what comes of it.</summary>
internal static class InflateVectors
{
    /// <summary>Symbols of one bit to 14, and two of 15: the deepest code there is.</summary>
    private static readonly (int Symbol, int Length)[] Deep = [.. Enumerable.Range(0, 15).Select(i => (i, i + 1)), (256, 15)];

    /// <summary>A name, the stream, and the content; null where it is damaged, or ends before <c>Length</c> bytes.</summary>
    internal static readonly (string Name, byte[] Stream, int Length, byte[]? Content)[] All =
    [
        Sound("stored", [0x01, 3, 0, 0xfc, 0xff, 7, 8, 9], 7, 8, 9),
        Sound("stored, in two blocks with an empty one in between", [0, 1, 0, 0xfe, 0xff, 7, 0, 0, 0, 0xff, 0xff, 1, 1, 0, 0xfe, 0xff, 8], 7, 8),
        Damaged("stored, with a length and a complement that disagree", [0x01, 3, 0, 0xfd, 0xff, 7, 8, 9]),
        Damaged("stored, and cut off", [0x01, 3, 0, 0xfc, 0xff, 7, 8]),

        Sound("fixed: a literal of 8 bits and one of 9", Bits("1 10  00110000  110010000  0000000"), 0, 144),
        Sound("fixed: an empty block before", Bits("0 10 0000000  1 10  00110001  0000000"), 1),
        Sound("fixed: a match that overlaps itself", Bits("1 10  00110001  0000010 00000  0000000"), 1, 1, 1, 1, 1),
        Sound("fixed: a length of 258", Bits("1 10  00110001  11000101 00000  0000000"), [.. Enumerable.Repeat((byte)1, 259)]),
        Sound("fixed: a length of 258 as 227 and 31", Bits("1 10  00110001  11000100 11111 00000  0000000"), [.. Enumerable.Repeat((byte)1, 259)]),
        Damaged("fixed: symbol 286", Bits("1 10  00110001  11000110 00000  0000000")),
        Damaged("fixed: symbol 287", Bits("1 10  00110001  11000111 00000  0000000")),
        Damaged("fixed: distance symbol 30", Bits("1 10  00110001  0000001 11110  0000000")),
        Damaged("fixed: distance symbol 31", Bits("1 10  00110001  0000001 11111  0000000")),
        Damaged("fixed: a distance before the first byte", Bits("1 10  00110001  0000001 00001  0000000")),
        Sound("fixed: a distance of 32768", Far(32_768), [.. Counted, 0, 1, 2]),
        Damaged("fixed: a distance of 32768 where there are 32767 bytes", Far(32_767), 32_770),
        Damaged("block type 3", Bits("1 11  00110001  0000000")),

        Sound("dynamic: a literal and the end, a bit each, and no distance", Dynamic([(0, 1), (256, 1)], [], "0 0 0 1"), 0, 0, 0),
        Damaged("dynamic: a match without distances", Dynamic([(0, 1), (256, 2), (257, 2)], [], "0 11 0 10")),
        Sound("dynamic: one distance, of one bit", Dynamic([(0, 1), (256, 2), (257, 2)], [(0, 1)], "0 11 0 10"), 0, 0, 0, 0),
        Damaged("dynamic: one distance, and the other bit", Dynamic([(0, 1), (256, 2), (257, 2)], [(0, 1)], "0 11 1 10")),
        Damaged("dynamic: one distance, of two bits", Dynamic([(0, 1), (256, 1)], [(0, 2)], "0 0 0 1")),
        Damaged("dynamic: distances that are too few", Dynamic([(0, 1), (256, 1)], [(0, 1), (1, 2)], "0 0 0 1")),
        Damaged("dynamic: distances that are too many", Dynamic([(0, 1), (256, 1)], [(0, 1), (1, 1), (2, 1)], "0 0 0 1")),
        Sound("dynamic: a block of nothing but its end", Dynamic([(256, 1)], [], "0  1 10  00110001  0000000", isLast: false), 1),
        Damaged("dynamic: nothing but the end, and the other bit", Dynamic([(256, 1)], [], "1")),
        Damaged("dynamic: nothing but the end, of two bits", Dynamic([(256, 2)], [], "00")),
        Damaged("dynamic: literals that are too few", Dynamic([(0, 1), (256, 2)], [], "0 0 0 10")),
        Damaged("dynamic: literals that are too many", Dynamic([(0, 1), (1, 1), (256, 1)], [], "0 0 0 1")),
        Damaged("dynamic: no end of the block", Dynamic([(0, 1), (1, 1)], [], "0 0 0")),
        Sound("dynamic: codes of 1 to 15 bits", Dynamic(Deep, [], "0 10 110 11111111111110 111111111111110 111111111111111"), 0, 1, 2, 13, 14),
        Sound("dynamic: distances of 1 to 15 bits", Dynamic([(5, 1), (256, 2), (257, 2)], [.. Enumerable.Range(0, 15).Select(i => (i, i + 1)), (15, 15)],
            $"{string.Concat(Enumerable.Repeat("0", 200))} 11 111111111111111 100000 10"), [.. Enumerable.Repeat((byte)5, 203)]),

        Damaged("dynamic: 287 literals", Header(287, 1, [.. Enumerable.Repeat(4, 16)], "")),
        Damaged("dynamic: 31 distances", Header(257, 31, [.. Enumerable.Repeat(4, 16)], "")),
        Damaged("dynamic: code lengths with codes that are too few", Header(257, 1, [1, 2], "0")),
        Damaged("dynamic: code lengths with one code", Header(257, 1, [1], string.Concat(Enumerable.Repeat("0", 300)))),
        Damaged("dynamic: code lengths with codes that are too many", Header(257, 1, [1, 1, 1], "0")),
        Damaged("dynamic: code lengths without codes", Header(257, 1, [], string.Concat(Enumerable.Repeat("0", 300)))),
        Damaged("dynamic: a repetition of nothing", Header(257, 1, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "1 00")),
        Damaged("dynamic: a repetition past the last length", Header(257, 1, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "1 1111111 1 1111111")),

        // The output is full, and what comes next decides.
        Full("the input ends", Bits("1 10  00110001 0011")),
        Full("another literal", Bits("1 10  00110001 00110001 0000000")),
        Full("a match before the first byte", Bits("1 10  00110001  0000001 00100 0 0000000")),
        Full("a stored block of more", [.. Bits("0 10  00110001 0000000 1 00"), 1, 0, 0xfe, 0xff, 7]),
        Full("what is no deflate, behind the end of the stream", [.. Bits("1 10  00110001 0000000"), 0xff, 0xff, 0xff]),
        Damaged("full: symbol 286", Bits("1 10  00110001  11000110 00000  0000000"), 1),
        Damaged("full: distance symbol 30", Bits("1 10  00110001  0000001 11110  0000000"), 1),
        Damaged("full: block type 3", Bits("0 10  00110001  0000000 1 11 0000"), 1),
        Damaged("full: a stored block's length", [.. Bits("0 10  00110001 0000000 0 00"), 1, 0, 0xff, 0xff, 7], 1),
    ];

    /// <summary>
    /// Two literals and a match far away that take as many bits as can come at once: with a code of the block's own, and with the fixed one, whose block begins
    /// where few bits have been got. 30,229 bytes in all.
    /// </summary>
    internal static byte[][] LongestSymbols =>
    [
        [.. Stored30000, .. Dynamic([.. Enumerable.Range(0, 14).Select(i => (i, i + 1)), (256, 15), (284, 15)], [.. Enumerable.Range(0, 14).Select(i => (i, i + 1)), (28, 15), (29, 15)],
            "11111111110 11111111110 111111111111111 00000 111111111111111 0000000000000 111111111111110")],
        [.. Stored30000, .. Bits("1 10 111111111 111111110 11000100 00000 11101 0000000000000 0000000")],
    ];

    private static byte[] Stored30000 => new DeflateBits().Number(0, 3).Align().Number(30_000, 16).Number(30_000 ^ 0xffff, 16).Bytes(Counted[..30_000]).ToArray();

    private static byte[] Counted => [.. Enumerable.Range(0, 32_768).Select(i => (byte)i)];

    private static (string Name, byte[] Stream, int Length, byte[]? Content) Sound(string name, byte[] stream, params byte[] content) => (name, stream, content.Length, content);

    private static (string Name, byte[] Stream, int Length, byte[]? Content) Full(string name, byte[] stream) => ($"full: {name}", stream, 1, [1]);

    private static (string Name, byte[] Stream, int Length, byte[]? Content) Damaged(string name, byte[] stream, int length = 3) => (name, stream, length, null);

    private static byte[] Bits(string bits) => new DeflateBits().Bits(bits).ToArray();

    /// <summary>Stored bytes, and a match of three with the greatest distance symbol.</summary>
    private static byte[] Far(int stored)
        => new DeflateBits().Number(0, 3).Align().Number(stored, 16).Number(stored ^ 0xffff, 16).Bytes(Counted[..stored])
            .Bits("1 10  0000001 11101 1111111111111 0000000").ToArray();

    /// <summary>A block with the codes of some symbols, whose lengths are written with four bits each.</summary>
    private static byte[] Dynamic((int Symbol, int Length)[] literals, (int Symbol, int Length)[] distances, string symbols, bool isLast = true)
    {
        int literalCount = Math.Max(257, literals.Max(code => code.Symbol) + 1);
        int distanceCount = distances.Length == 0 ? 1 : distances.Max(code => code.Symbol) + 1;
        int[] lengths = new int[literalCount + distanceCount];
        foreach ((int symbol, int length) in literals)
        {
            lengths[symbol] = length;
        }

        foreach ((int symbol, int length) in distances)
        {
            lengths[literalCount + symbol] = length;
        }

        string code = string.Concat(lengths.Select(length => Convert.ToString(length, 2).PadLeft(4, '0')));
        return Header(literalCount, distanceCount, [.. Enumerable.Repeat(4, 16)], code + symbols, isLast);
    }

    /// <summary>A block with the lengths of the codes of code lengths, from symbol 0 on, and what follows.</summary>
    private static byte[] Header(int literals, int distances, int[] codeLengths, string rest, bool isLast = true)
    {
        DeflateBits bits = new DeflateBits().Number(isLast ? 1 : 0, 1).Number(2, 2).Number(literals - 257, 5).Number(distances - 1, 5).Number(15, 4);
        foreach (int symbol in DeflateReader.Order)
        {
            bits.Number(symbol < codeLengths.Length ? codeLengths[symbol] : 0, 3);
        }

        return bits.Bits(rest).ToArray();
    }
}

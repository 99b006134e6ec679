namespace Qcow2.Engine.Codecs;

/// <summary>The symbols of deflate (RFC 1951, section 3.2.5): literals, lengths of matches and their distances.</summary>
internal static class DeflateAlphabet
{
    internal const int MinMatch = 3;
    internal const int MaxMatch = 258;

    /// <summary>Literals, the end of a block and lengths.</summary>
    internal const int LiteralCount = 286;

    internal const int MaxDistance = 1 << DeflateEncoder.MaxWindowBits;

    internal const int DistanceCount = 30;

    internal const int EndOfBlock = 256;
    internal const int MaxCodeLength = 15;

    internal const int FirstLength = 257;

    internal static readonly byte[] LengthSymbols = new byte[MaxMatch + 1];
    private static readonly byte[] LengthExtraBits = new byte[LiteralCount - FirstLength];
    private static readonly ushort[] LengthBases = new ushort[LiteralCount - FirstLength];
    internal static readonly byte[] DistanceSymbols = new byte[MaxDistance + 1];
    private static readonly byte[] DistanceExtraBits = new byte[DistanceCount];
    private static readonly ushort[] DistanceBases = new ushort[DistanceCount];

    static DeflateAlphabet()
    {
        // Four symbols for each number of extra bits, but eight for none; 258 has one of its own.
        for (int symbol = 0, length = MinMatch; symbol < 28; symbol++)
        {
            LengthExtraBits[symbol] = (byte)(symbol < 8 ? 0 : (symbol / 4) - 1);
            LengthBases[symbol] = (ushort)length;
            for (int i = 0; i < 1 << LengthExtraBits[symbol]; i++, length++)
            {
                LengthSymbols[length] = (byte)symbol;
            }
        }

        LengthBases[28] = MaxMatch;
        LengthSymbols[MaxMatch] = 28;

        // Two symbols for each number, but four for none.
        for (int symbol = 0, distance = 1; symbol < DistanceCount; symbol++)
        {
            DistanceExtraBits[symbol] = (byte)(symbol < 4 ? 0 : (symbol / 2) - 1);
            DistanceBases[symbol] = (ushort)distance;
            for (int i = 0; i < 1 << DistanceExtraBits[symbol]; i++, distance++)
            {
                DistanceSymbols[distance] = (byte)symbol;
            }
        }
    }

    /// <summary>The symbol of a length of 3 to 258 bytes.</summary>
    internal static int LengthSymbol(int length) => FirstLength + LengthSymbols[length];

    /// <summary>What a length is beyond its symbol, in <see cref="ExtraBits"/> bits.</summary>
    internal static int LengthExtra(int length) => length - LengthBases[LengthSymbols[length]];

    /// <summary>Bits that follow a symbol of the first alphabet.</summary>
    internal static int ExtraBits(int symbol) => symbol < FirstLength ? 0 : LengthExtraBits[symbol - FirstLength];

    /// <summary>The shortest length of a symbol.</summary>
    internal static int LengthBase(int symbol) => LengthBases[symbol - FirstLength];

    /// <summary>The symbol of a distance of 1 to 32768 bytes.</summary>
    internal static int DistanceSymbol(int distance) => DistanceSymbols[distance];

    /// <summary>What a distance is beyond its symbol, in <see cref="DistanceBits"/> bits.</summary>
    internal static int DistanceExtra(int distance) => distance - DistanceBases[DistanceSymbols[distance]];

    /// <summary>Bits that follow a symbol of the second alphabet.</summary>
    internal static int DistanceBits(int symbol) => DistanceExtraBits[symbol];

    /// <summary>The shortest distance of a symbol.</summary>
    internal static int DistanceBase(int symbol) => DistanceBases[symbol];
}

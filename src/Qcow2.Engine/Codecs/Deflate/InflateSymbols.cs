namespace Qcow2.Engine.Codecs;

/// <summary>What a table of <see cref="InflateTable"/> says of the bits that are looked up in it.</summary>
/// <remarks>
/// An entry has 32 bits. The lowest byte counts the bits that belong to it, the next one (6 bits) those of them that are the code; the rest are extra
/// bits, which are added to the base in the highest 16. So lengths and distances are a mask, a shift and an addition, without another table. Both counts
/// stand where a shift finds them: .NET takes the lowest six bits of what it is told to shift by.
/// </remarks>
internal static class InflateSymbols
{
    /// <summary>A literal, in bits 16 to 23. The sign bit, which costs least to ask for, as most symbols are literals.</summary>
    internal const uint Literal = 0x8000_0000;

    /// <summary>Neither a literal nor a number: what <see cref="Continued"/>, <see cref="EndOfBlock"/> or none of them says.</summary>
    internal const uint Exceptional = 0x8000;

    /// <summary>The code is longer than the table's index. The rest is looked up in a table of its own, at the base, by as many bits as the second byte says.</summary>
    internal const uint Continued = 0x4000;

    /// <summary>The block ends. An exceptional entry with neither of these marks is no code, or one that means nothing.</summary>
    internal const uint EndOfBlock = 0x1_0000;

    /// <summary>A code of one bit: this much for each bit.</summary>
    internal const uint CodeBit = 0x101;

    internal const int BaseShift = 16;
    internal const int CodeShift = 8;
    internal const int CodeMask = 0x3f;

    /// <summary>Codes that there are with the fixed codes of 3.2.6, though the last two of each alphabet mean nothing.</summary>
    internal const int FixedLiteralCount = 288;
    internal const int FixedDistanceCount = 32;

    /// <summary>The entries of literals and lengths, but for their codes.</summary>
    internal static readonly uint[] LiteralsAndLengths = CreateLiteralsAndLengths();

    /// <summary>The entries of distances, but for their codes.</summary>
    internal static readonly uint[] Distances = CreateDistances();

    /// <summary>The entries of the code of code lengths: a number each, without extra bits.</summary>
    internal static readonly uint[] CodeLengths = CreateCodeLengths();

    private static uint[] CreateLiteralsAndLengths()
    {
        uint[] entries = new uint[FixedLiteralCount];
        for (int symbol = 0; symbol < entries.Length; symbol++)
        {
            entries[symbol] = symbol switch
            {
                < DeflateAlphabet.EndOfBlock => Literal | ((uint)symbol << BaseShift),
                DeflateAlphabet.EndOfBlock => Exceptional | EndOfBlock,
                < DeflateAlphabet.LiteralCount => ((uint)DeflateAlphabet.LengthBase(symbol) << BaseShift) | (uint)DeflateAlphabet.ExtraBits(symbol),
                _ => Exceptional,
            };
        }

        return entries;
    }

    private static uint[] CreateDistances()
    {
        uint[] entries = new uint[FixedDistanceCount];
        for (int symbol = 0; symbol < entries.Length; symbol++)
        {
            entries[symbol] = symbol < DeflateAlphabet.DistanceCount
                ? ((uint)DeflateAlphabet.DistanceBase(symbol) << BaseShift) | (uint)DeflateAlphabet.DistanceBits(symbol)
                : Exceptional;
        }

        return entries;
    }

    private static uint[] CreateCodeLengths()
    {
        uint[] entries = new uint[Inflater.CodeLengthCount];
        for (uint symbol = 0; symbol < entries.Length; symbol++)
        {
            entries[symbol] = symbol << BaseShift;
        }

        return entries;
    }
}

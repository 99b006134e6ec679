namespace Qcow2.Engine.Codecs;

/// <summary>Writes a block in the shortest of the three ways: with a code of its own, with the fixed code, or as it is.</summary>
internal sealed class DeflateBlockWriter
{
    private const int HeaderBits = 3;
    private const int Stored = 0;
    private const int Fixed = 1;
    private const int Dynamic = 2;
    private const int MaxStored = ushort.MaxValue;

    private static readonly HuffmanCode FixedLiterals = CreateFixedLiterals();
    private static readonly HuffmanCode FixedDistances = CreateFixedDistances();

    private readonly HuffmanCode _literals = new(DeflateAlphabet.LiteralCount, DeflateAlphabet.MaxCodeLength);
    private readonly HuffmanCode _distances = new(DeflateAlphabet.DistanceCount, DeflateAlphabet.MaxCodeLength);
    private readonly CodeLengthWriter _codeLengths = new();

    /// <summary>Writes a block, if there is room for it.</summary>
    /// <param name="writer">Where it goes.</param>
    /// <param name="symbols">What the bytes became.</param>
    /// <param name="bytes">The bytes themselves.</param>
    /// <param name="isLast">Whether it is the last block of the stream.</param>
    internal bool TryWrite(ref DeflateBitWriter writer, DeflateSymbols symbols, ReadOnlySpan<byte> bytes, bool isLast)
    {
        _literals.Build(symbols.LiteralFrequencies);
        _distances.Build(symbols.DistanceFrequencies);
        long dynamicBits = _codeLengths.Prepare(_literals, _distances) + Cost(_literals, _distances, symbols);
        long fixedBits = Cost(FixedLiterals, FixedDistances, symbols);
        long packedBits = HeaderBits + Math.Min(dynamicBits, fixedBits);
        long storedBits = StoredBits(writer, bytes.Length);
        if (Math.Min(packedBits, storedBits) > writer.Room)
        {
            return false;
        }

        if (storedBits <= packedBits)
        {
            WriteStored(ref writer, bytes, isLast);
        }
        else if (fixedBits <= dynamicBits)
        {
            WriteHeader(ref writer, Fixed, isLast);
            WriteSymbols(ref writer, symbols, FixedLiterals, FixedDistances);
        }
        else
        {
            WriteHeader(ref writer, Dynamic, isLast);
            _codeLengths.Write(ref writer);
            WriteSymbols(ref writer, symbols, _literals, _distances);
        }

        return true;
    }

    private static long Cost(HuffmanCode literals, HuffmanCode distances, DeflateSymbols symbols)
    {
        long bits = literals.Cost(symbols.LiteralFrequencies) + distances.Cost(symbols.DistanceFrequencies);
        for (int symbol = DeflateAlphabet.EndOfBlock + 1; symbol < DeflateAlphabet.LiteralCount; symbol++)
        {
            bits += (long)symbols.LiteralFrequencies[symbol] * DeflateAlphabet.ExtraBits(symbol);
        }

        for (int symbol = 0; symbol < DeflateAlphabet.DistanceCount; symbol++)
        {
            bits += (long)symbols.DistanceFrequencies[symbol] * DeflateAlphabet.DistanceBits(symbol);
        }

        return bits;
    }

    private static void WriteHeader(ref DeflateBitWriter writer, int type, bool isLast)
        => writer.Write((type << 1) | (isLast ? 1 : 0), HeaderBits);

    private static void WriteSymbols(ref DeflateBitWriter writer, DeflateSymbols symbols, HuffmanCode literals, HuffmanCode distances)
    {
        ReadOnlySpan<ushort> values = symbols.Values;
        ReadOnlySpan<ushort> backs = symbols.Distances;
        ReadOnlySpan<ushort> literalBits = literals.Bits;
        ReadOnlySpan<byte> literalLengths = literals.Lengths;
        for (int i = 0; i < values.Length; i++)
        {
            int value = values[i];
            int distance = backs[i];
            if (distance == 0)
            {
                writer.Write(literalBits[value], literalLengths[value]);
                continue;
            }

            int symbol = DeflateAlphabet.LengthSymbol(value);
            writer.Write(literalBits[symbol], literalLengths[symbol]);
            writer.Write(DeflateAlphabet.LengthExtra(value), DeflateAlphabet.ExtraBits(symbol));
            symbol = DeflateAlphabet.DistanceSymbol(distance);
            writer.Write(distances.Bits[symbol], distances.Lengths[symbol]);
            writer.Write(DeflateAlphabet.DistanceExtra(distance), DeflateAlphabet.DistanceBits(symbol));
        }

        writer.Write(literalBits[DeflateAlphabet.EndOfBlock], literalLengths[DeflateAlphabet.EndOfBlock]);
    }

    // The first piece is padded from where the block begins; the others begin at a byte, and their header takes a whole one.
    private static long StoredBits(in DeflateBitWriter writer, int length)
    {
        int pieces = Math.Max(1, (length + MaxStored - 1) / MaxStored);
        int padding = (writer.Padding - HeaderBits) & 7;
        return HeaderBits + padding + ((pieces - 1) * 8L) + (pieces * 32L) + (length * 8L);
    }

    private static void WriteStored(ref DeflateBitWriter writer, ReadOnlySpan<byte> bytes, bool isLast)
    {
        do
        {
            ReadOnlySpan<byte> piece = bytes.Slice(0, Math.Min(bytes.Length, MaxStored));
            bytes = bytes.Slice(piece.Length);
            WriteHeader(ref writer, Stored, isLast && bytes.IsEmpty);
            writer.Flush();
            writer.Write(piece.Length, 16);
            writer.Write(piece.Length ^ MaxStored, 16);
            writer.Write(piece);
        }
        while (!bytes.IsEmpty);
    }

    private static HuffmanCode CreateFixedLiterals()
    {
        // The code counts two symbols that never occur, which take their place in it.
        var lengths = new byte[288];
        lengths.AsSpan(0, 144).Fill(8);
        lengths.AsSpan(144, 112).Fill(9);
        lengths.AsSpan(256, 24).Fill(7);
        lengths.AsSpan(280, 8).Fill(8);
        var code = new HuffmanCode(lengths.Length, 9);
        code.SetLengths(lengths);
        return code;
    }

    private static HuffmanCode CreateFixedDistances()
    {
        var lengths = new byte[32];
        lengths.AsSpan().Fill(5);
        var code = new HuffmanCode(lengths.Length, 5);
        code.SetLengths(lengths);
        return code;
    }
}

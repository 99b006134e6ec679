namespace Qcow2.Engine.Codecs;

/// <summary>Writes a block in the shortest of the three ways: with a code of its own, with the fixed code, or as it is.</summary>
internal sealed unsafe class DeflateBlockWriter
{
    private const int HeaderBits = 3;
    private const int Stored = 0;
    private const int Fixed = 1;
    private const int Dynamic = 2;
    private const int MaxStored = ushort.MaxValue;

    /// <summary>One bit less than there may be, so that four literals fit in what is written at once.</summary>
    private const int MaxLiteralBits = DeflateBitWriter.MaxBits / 4;

    private static readonly HuffmanCode FixedLiterals = CreateFixedLiterals();
    private static readonly HuffmanCode FixedDistances = CreateFixedDistances();

    private readonly HuffmanCode _literals = new(DeflateAlphabet.LiteralCount, MaxLiteralBits);
    private readonly HuffmanCode _distances = new(DeflateAlphabet.DistanceCount, DeflateAlphabet.MaxCodeLength);
    private readonly CodeLengthWriter _codeLengths = new();
    private readonly DeflateSymbolTables _tables = new();

    /// <summary>Writes a block, if there is room for it.</summary>
    /// <param name="writer">Where it goes.</param>
    /// <param name="data">All data, from its first byte on.</param>
    /// <param name="block">How often the symbols occur in the block.</param>
    /// <param name="chunks">What the block is put together of.</param>
    /// <param name="isLast">Whether it is the last block of the stream.</param>
    internal bool TryWrite(ref DeflateBitWriter writer, byte* data, DeflateFrequencies block, ReadOnlySpan<DeflateChunk> chunks, bool isLast)
    {
        _literals.Build(block.Literals);
        _distances.Build(block.Distances);
        long dynamicBits = _codeLengths.Prepare(_literals, _distances) + Cost(_literals, _distances, block);
        long fixedBits = Cost(FixedLiterals, FixedDistances, block);
        long packedBits = HeaderBits + Math.Min(dynamicBits, fixedBits);
        int start = chunks[0].Start;
        var bytes = new ReadOnlySpan<byte>(data + start, chunks[chunks.Length - 1].End - start);
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
            WriteSymbols(ref writer, data, chunks, FixedLiterals, FixedDistances);
        }
        else
        {
            WriteHeader(ref writer, Dynamic, isLast);
            _codeLengths.Write(ref writer);
            WriteSymbols(ref writer, data, chunks, _literals, _distances);
        }

        return true;
    }

    private static long Cost(HuffmanCode literals, HuffmanCode distances, DeflateFrequencies block)
    {
        long bits = literals.Cost(block.Literals) + distances.Cost(block.Distances);
        for (int symbol = DeflateAlphabet.FirstLength; symbol < DeflateAlphabet.LiteralCount; symbol++)
        {
            bits += (long)block.Literals[symbol] * DeflateAlphabet.ExtraBits(symbol);
        }

        for (int symbol = 0; symbol < DeflateAlphabet.DistanceCount; symbol++)
        {
            bits += (long)block.Distances[symbol] * DeflateAlphabet.DistanceBits(symbol);
        }

        return bits;
    }

    private static void WriteHeader(ref DeflateBitWriter writer, int type, bool isLast)
        => writer.Write((uint)((type << 1) | (isLast ? 1 : 0)), HeaderBits);

    private void WriteSymbols(ref DeflateBitWriter writer, byte* data, ReadOnlySpan<DeflateChunk> chunks, HuffmanCode literals, HuffmanCode distances)
    {
        _tables.Fill(literals, distances);
        foreach (DeflateChunk chunk in chunks)
        {
            _tables.Write(ref writer, data + chunk.Start, chunk);
        }

        writer.Write(literals.Bits[DeflateAlphabet.EndOfBlock], literals.Lengths[DeflateAlphabet.EndOfBlock]);
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
            writer.Write(0, writer.Padding);
            writer.Write((uint)(piece.Length | ((piece.Length ^ MaxStored) << 16)), 32);
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

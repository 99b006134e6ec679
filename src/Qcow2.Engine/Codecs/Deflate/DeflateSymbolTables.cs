using System.Runtime.CompilerServices;

namespace Qcow2.Engine.Codecs;

/// <summary>The bits of all literals, lengths and distances in a block, ready to be written at once.</summary>
internal sealed unsafe class DeflateSymbolTables
{
    // How many bits there are, in the lowest 8 bits, and the bits above.
    private const int CountBits = 8;

    private readonly uint[] _literals = new uint[256];
    private readonly uint[] _lengths = new uint[DeflateAlphabet.MaxMatch + 1]; // With their extra bits.
    private readonly Distance[] _distances = new Distance[DeflateAlphabet.DistanceCount];

    /// <summary>Takes the codes of a block.</summary>
    internal void Fill(HuffmanCode literals, HuffmanCode distances)
    {
        ReadOnlySpan<ushort> bits = literals.Bits;
        ReadOnlySpan<byte> counts = literals.Lengths;
        for (int value = 0; value < _literals.Length; value++)
        {
            _literals[value] = ((uint)bits[value] << CountBits) | counts[value];
        }

        for (int length = DeflateAlphabet.MinMatch; length <= DeflateAlphabet.MaxMatch; length++)
        {
            int symbol = DeflateAlphabet.LengthSymbol(length);
            uint value = bits[symbol] | ((uint)DeflateAlphabet.LengthExtra(length) << counts[symbol]);
            _lengths[length] = (value << CountBits) | (uint)(counts[symbol] + DeflateAlphabet.ExtraBits(symbol));
        }

        for (int symbol = 0; symbol < _distances.Length; symbol++)
        {
            int count = distances.Lengths[symbol];
            _distances[symbol] = new Distance
            {
                Bits = distances.Bits[symbol],
                Base = (ushort)DeflateAlphabet.DistanceBase(symbol),
                CodeBits = (byte)count,
                AllBits = (byte)(count + DeflateAlphabet.DistanceBits(symbol)),
            };
        }
    }

    /// <summary>Writes the sequences of a chunk, whose first byte is given.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal void Write(ref DeflateBitWriter writer, byte* data, DeflateChunk chunk)
    {
        DeflateBitWriter local = writer;
        fixed (uint* literals = _literals, lengths = _lengths)
        fixed (Distance* distances = _distances)
        fixed (DeflateSequence* sequences = chunk.Sequences)
        {
            DeflateSequence* end = sequences + chunk.Count;
            for (DeflateSequence* sequence = sequences; sequence < end; sequence++)
            {
                byte* literalsEnd = data + sequence->Literals;
                for (; literalsEnd - data >= 4; data += 4)
                {
                    WriteTwice(ref local, literals[data[0]], literals[data[1]], literals[data[2]], literals[data[3]]);
                }

                for (; data < literalsEnd; data++)
                {
                    uint literal = literals[*data];
                    local.Write(literal >> CountBits, (byte)literal);
                }

                int length = sequence->Length;
                if (length != 0)
                {
                    data += length;
                    uint first = lengths[length];
                    int count = (byte)first;
                    Distance* distance = distances + sequence->DistanceSymbol;
                    ulong second = distance->Bits | ((ulong)(uint)(sequence->Distance - distance->Base) << distance->CodeBits);
                    local.Write((first >> CountBits) | (second << count), count + distance->AllBits);
                }
            }
        }

        writer = local;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteTwice(ref DeflateBitWriter writer, uint a, uint b, uint c, uint d)
    {
        ulong low = (a >> CountBits) | ((ulong)(b >> CountBits) << (byte)a);
        int lowBits = (byte)a + (byte)b;
        ulong high = (c >> CountBits) | ((ulong)(d >> CountBits) << (byte)c);
        writer.Write(low | (high << lowBits), lowBits + (byte)c + (byte)d);
    }

    private struct Distance
    {
        internal ushort Bits;
        internal ushort Base;
        internal byte CodeBits;
        internal byte AllBits;
    }
}

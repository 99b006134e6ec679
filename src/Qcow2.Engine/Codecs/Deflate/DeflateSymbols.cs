namespace Qcow2.Engine.Codecs;

/// <summary>The literals and matches of one block, and how often each symbol occurs.</summary>
internal sealed class DeflateSymbols
{
    /// <summary>Symbols in a block at most. More would share a code that fits none of them.</summary>
    internal const int Capacity = 1 << 14;

    // A match as its length and distance; a literal with the distance 0.
    private readonly ushort[] _values = new ushort[Capacity];
    private readonly ushort[] _distances = new ushort[Capacity];

    internal int Count { get; private set; }

    internal bool IsFull => Count == Capacity;

    internal int[] LiteralFrequencies { get; } = new int[DeflateAlphabet.LiteralCount];

    internal int[] DistanceFrequencies { get; } = new int[DeflateAlphabet.DistanceCount];

    /// <summary>The literals, or the lengths of matches.</summary>
    internal ReadOnlySpan<ushort> Values => _values.AsSpan(0, Count);

    /// <summary>The distances of matches; 0 for a literal.</summary>
    internal ReadOnlySpan<ushort> Distances => _distances.AsSpan(0, Count);

    internal void Reset()
    {
        Count = 0;
        Array.Clear(LiteralFrequencies, 0, LiteralFrequencies.Length);
        Array.Clear(DistanceFrequencies, 0, DistanceFrequencies.Length);
        LiteralFrequencies[DeflateAlphabet.EndOfBlock] = 1;
    }

    internal void AddLiteral(byte value)
    {
        _values[Count] = value;
        _distances[Count++] = 0;
        LiteralFrequencies[value]++;
    }

    internal void AddMatch(int length, int distance)
    {
        _values[Count] = (ushort)length;
        _distances[Count++] = (ushort)distance;
        LiteralFrequencies[DeflateAlphabet.LengthSymbol(length)]++;
        DistanceFrequencies[DeflateAlphabet.DistanceSymbol(distance)]++;
    }
}

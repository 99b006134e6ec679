namespace Qcow2.Engine.Codecs;

/// <summary>How often each symbol occurs.</summary>
internal sealed class DeflateFrequencies
{
    /// <summary>Literals, lengths and the end of the block.</summary>
    internal int[] Literals { get; } = new int[DeflateAlphabet.LiteralCount];

    internal int[] Distances { get; } = new int[DeflateAlphabet.DistanceCount];

    internal void Clear()
    {
        Array.Clear(Literals, 0, Literals.Length);
        Array.Clear(Distances, 0, Distances.Length);
    }

    internal void CopyFrom(DeflateFrequencies other)
    {
        Array.Copy(other.Literals, Literals, Literals.Length);
        Array.Copy(other.Distances, Distances, Distances.Length);
    }

    internal void Add(DeflateFrequencies other)
    {
        Add(Literals, other.Literals);
        Add(Distances, other.Distances);
    }

    private static void Add(int[] to, int[] from)
    {
        for (int i = 0; i < to.Length && i < from.Length; i++)
        {
            to[i] += from[i];
        }
    }
}

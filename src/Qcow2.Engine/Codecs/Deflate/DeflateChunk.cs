namespace Qcow2.Engine.Codecs;

/// <summary>A few kilobytes of the data as sequences, and how often each symbol occurs in them: what blocks are put together of.</summary>
internal sealed class DeflateChunk
{
    /// <summary>Bytes of a chunk; a match may reach over its end. Files lie in a file system in blocks of as many, so that their ends are ends of chunks.</summary>
    internal const int Size = 4096;

    // Each but the last has a match.
    private const int MaxSequences = (Size / DeflateAlphabet.MinMatch) + 2;

    internal DeflateSequence[] Sequences { get; } = new DeflateSequence[MaxSequences];

    internal DeflateFrequencies Frequencies { get; } = new();

    /// <summary>Sequences in the chunk.</summary>
    internal int Count { get; set; }

    /// <summary>Where its bytes begin in the data.</summary>
    internal int Start { get; set; }

    /// <summary>Where they end.</summary>
    internal int End { get; set; }
}

namespace Qcow2.Engine.Codecs;

/// <summary>Finds out which chunks that follow each other are better off with a code of their own.</summary>
internal sealed class DeflateBlockSplitter
{
    /// <summary>What a block takes beside its symbols and their code, about; tried out on file systems.</summary>
    private const int HeaderBits = 120;

    /// <summary>What each symbol that occurs takes in the description of the code.</summary>
    private const int SymbolBits = 3;

    /// <summary>How often each symbol occurs in the block that was found last.</summary>
    internal DeflateFrequencies Block { get; } = new();

    /// <summary>Finds the end of the block that begins with a chunk.</summary>
    internal int EndOfBlock(DeflateChunk[] chunks, int first, int count)
    {
        Block.CopyFrom(chunks[first].Frequencies);
        int next = first + 1;
        if (next < count)
        {
            var literals = new Alphabet(Block.Literals);
            var distances = new Alphabet(Block.Distances);
            for (; next < count; next++)
            {
                DeflateFrequencies chunk = chunks[next].Frequencies;
                long loss = literals.Loss(Block.Literals, chunk.Literals, out Alphabet literalsTogether)
                    + distances.Loss(Block.Distances, chunk.Distances, out Alphabet distancesTogether);
                if (loss > HeaderBits << FixedLogarithm.FractionBits)
                {
                    break;
                }

                Block.Add(chunk);
                literals = literalsTogether;
                distances = distancesTogether;
            }
        }

        Block.Literals[DeflateAlphabet.EndOfBlock] = 1;
        return next;
    }

    /// <summary>What the symbols of an alphabet are like in some chunks.</summary>
    private readonly struct Alphabet
    {
        private readonly int _sum;
        private readonly int _used;

        // The sum of all frequencies, each multiplied with its logarithm.
        private readonly long _logarithms;

        internal Alphabet(int[] frequencies)
        {
            foreach (int frequency in frequencies)
            {
                if (frequency != 0)
                {
                    _sum += frequency;
                    _used++;
                    _logarithms += (long)frequency * FixedLogarithm.Of(frequency);
                }
            }
        }

        private Alphabet(int sum, int used, long logarithms)
        {
            _sum = sum;
            _used = used;
            _logarithms = logarithms;
        }

        /// <summary>About as many bits as the symbols take, and their code, in parts of a bit.</summary>
        private long Cost => ((long)_sum * FixedLogarithm.Of(_sum)) - _logarithms + (_used * (SymbolBits << FixedLogarithm.FractionBits));

        /// <summary>What it costs, in parts of a bit, if others share the code.</summary>
        internal long Loss(int[] frequencies, int[] others, out Alphabet together)
        {
            int sum = 0;
            int used = 0;
            int added = 0;
            long logarithms = 0;
            long gain = 0;
            for (int i = 0; i < others.Length && i < frequencies.Length; i++)
            {
                int other = others[i];
                if (other != 0)
                {
                    int frequency = frequencies[i];
                    sum += other;
                    used++;
                    added += frequency == 0 ? 1 : 0;
                    logarithms += (long)other * FixedLogarithm.Of(other);
                    gain += ((long)(frequency + other) * FixedLogarithm.Of(frequency + other)) - ((long)frequency * FixedLogarithm.Of(frequency));
                }
            }

            together = new Alphabet(_sum + sum, _used + added, _logarithms + gain);
            return together.Cost - Cost - new Alphabet(sum, used, logarithms).Cost;
        }
    }
}

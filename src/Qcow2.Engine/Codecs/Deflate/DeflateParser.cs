using System.Runtime.CompilerServices;

namespace Qcow2.Engine.Codecs;

/// <summary>Turns bytes into literals and matches.</summary>
internal sealed unsafe class DeflateParser
{
    /// <summary>Data that has not matched for so many bytes will hardly do: it is asked again after some more, the more the longer it lasts.</summary>
    private const int QuietLength = 256;

    /// <summary>What the symbols of a match take, about; the distance has further bits.</summary>
    private const int MatchBits = 8;

    /// <summary>Fewer literals than these say little of the next ones.</summary>
    private const int FewLiterals = 64;

    private const int MaxHashBits = 15;
    private const int MaxShortHashBits = 13;
    private const int MinHashBits = 9;

    private readonly DeflateEffort _effort;
    private readonly int _window;
    private readonly ushort[] _long = new ushort[1 << MaxHashBits];
    private readonly ushort[] _short = new ushort[1 << MaxShortHashBits];
    private readonly ushort[] _chain;
    private int _hashBits;
    private int _quietSince;
    private int _shortReach;

    /// <param name="effort">How long matches are looked for.</param>
    /// <param name="windowBits">How far back: this power of two, in bytes.</param>
    internal DeflateParser(DeflateEffort effort, int windowBits)
    {
        _effort = effort;
        _window = 1 << windowBits;
        _chain = new ushort[_window];
    }

    /// <summary>Forgets everything, so that the result depends on nothing that came before.</summary>
    /// <param name="length">Bytes that will come: small tables do for few.</param>
    internal void Reset(int length)
    {
        _hashBits = MinHashBits;
        while (_hashBits < MaxHashBits && length > 1 << _hashBits)
        {
            _hashBits++;
        }

        Array.Clear(_long, 0, 1 << _hashBits);
        Array.Clear(_short, 0, 1 << Math.Min(_hashBits, MaxShortHashBits));
        Array.Clear(_chain, 0, _chain.Length);
        _quietSince = 0;
        _shortReach = _window;
    }

    /// <summary>Parses the bytes up to the end of a chunk, or of the match that reaches over it.</summary>
    /// <param name="data">All data, from its first byte on, and <see cref="DeflateMatches.Slack"/>.</param>
    /// <param name="position">Where to go on.</param>
    /// <param name="end">Where the data ends.</param>
    /// <param name="chunk">What becomes of it.</param>
    /// <returns>Where the next chunk begins.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal int Parse(byte* data, int position, int end, DeflateChunk chunk)
    {
        int chunkEnd = Math.Min((position & -DeflateChunk.Size) + DeflateChunk.Size, end);
        chunk.Start = position;
        chunk.Frequencies.Clear();
        fixed (ushort* longs = _long, shorts = _short, chain = _chain)
        fixed (DeflateSequence* sequences = chunk.Sequences)
        fixed (int* literals = chunk.Frequencies.Literals, distances = chunk.Frequencies.Distances)
        fixed (byte* lengthSymbols = DeflateAlphabet.LengthSymbols, distanceSymbols = DeflateAlphabet.DistanceSymbols)
        {
            var matches = new DeflateMatches
            {
                Data = data,
                End = end,
                Window = _window,
                NiceLength = _effort.NiceLength,
                Long = longs,
                LongShift = 32 - _hashBits,
                Short = shorts,
                ShortShift = 32 - Math.Min(_hashBits, MaxShortHashBits),
                Chain = chain,
                ShortReach = _shortReach,
            };
            int depth = _effort.Chain;
            uint nice = (uint)_effort.NiceLength << 16;
            int lazy = _effort.Lazy;
            DeflateSequence* sequence = sequences;
            int runStart = position;
            while (position < chunkEnd)
            {
                uint match = matches.Find(position, DeflateAlphabet.MinMatch - 1, depth);
                if (match == 0)
                {
                    literals[data[position]]++;
                    position++;
                    int quiet = position - _quietSince;
                    if (quiet > QuietLength)
                    {
                        for (int until = Math.Min(position + (quiet / QuietLength), chunkEnd); position < until; position++)
                        {
                            matches.Insert(position);
                            literals[data[position]]++;
                        }
                    }

                    continue;
                }

                int inserted = 1;
                while (lazy != 0 && match < nice)
                {
                    uint next = matches.Find(position + 1, (int)(match >> 16), depth >> 1);
                    if (next != 0 && Gain(next) > Gain(match) + 2)
                    {
                        literals[data[position]]++;
                        position++;
                        match = next;
                        continue;
                    }

                    inserted = 2;
                    if (lazy > 1)
                    {
                        next = matches.Find(position + 2, (int)(match >> 16), depth >> 2);
                        if (next != 0 && Gain(next) > Gain(match) + 6)
                        {
                            literals[data[position]]++;
                            literals[data[position + 1]]++;
                            position += 2;
                            match = next;
                            inserted = 1;
                            continue;
                        }

                        inserted = 3;
                    }

                    break;
                }

                int length = (int)(match >> 16);
                int distance = (ushort)match;
                int symbol = distanceSymbols[distance];
                sequence->Literals = (ushort)(position - runStart);
                sequence->Length = (ushort)length;
                sequence->Distance = (ushort)distance;
                sequence->DistanceSymbol = (ushort)symbol;
                sequence++;
                literals[DeflateAlphabet.FirstLength + lengthSymbols[length]]++;
                distances[symbol]++;

                runStart = position + length;
                for (position += inserted; position < runStart; position++)
                {
                    matches.Insert(position);
                }

                position = runStart;
                _quietSince = position;
            }

            sequence->Literals = (ushort)(position - runStart);
            sequence->Length = 0;
            chunk.Count = (int)(sequence - sequences) + 1;
        }

        _shortReach = ShortReach(chunk.Frequencies.Literals);
        chunk.End = position;
        return position;
    }

    /// <summary>What a match saves, about, in quarters of what a byte takes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Gain(uint match) => ((int)(match >> 16) * 4) - BitMath.Log2((ushort)match);

    /// <summary>How far back a match of three bytes may be, so that it takes no more than they would as literals.</summary>
    /// <param name="literals">How often each literal occurred in the last chunk.</param>
    private int ShortReach(int[] literals)
    {
        int sum = 0;
        long logarithms = 0;
        for (int value = 0; value < DeflateAlphabet.EndOfBlock; value++)
        {
            sum += literals[value];
            logarithms += (long)literals[value] * FixedLogarithm.Of(literals[value]);
        }

        if (sum < FewLiterals)
        {
            return _shortReach;
        }

        int literalBits = FixedLogarithm.Of(sum) - (int)(logarithms / sum);
        int bits = (DeflateAlphabet.MinMatch * literalBits >> FixedLogarithm.FractionBits) - MatchBits;
        return bits < 0 ? 1 : Math.Min(1 << bits, _window);
    }
}

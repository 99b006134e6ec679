namespace Qcow2.Engine.Codecs;

/// <summary>How a step of inflating ended.</summary>
internal enum InflateStatus
{
    /// <summary>At the end of a block.</summary>
    EndOfBlock,

    /// <summary>Near the end of the input or the output, where each byte must be looked at.</summary>
    NearEnd,

    /// <summary>There is no more input.</summary>
    EndOfInput,

    /// <summary>There is more to write, and no more room.</summary>
    Full,

    /// <summary>What comes next is no deflate.</summary>
    Damaged,
}

/// <summary>Inflates whole buffers (RFC 1951), one at a time.</summary>
/// <remarks>
/// The verdict is that of zlib's <c>inflate</c> with Z_FINISH, taken as QEMU takes it: the output must be full. What it needs no more output for is
/// looked at nevertheless, so damage up to the next byte that would be written counts, and what lies behind that does not.
/// </remarks>
internal sealed class Inflater
{
    /// <summary>Symbols of the code of code lengths.</summary>
    internal const int CodeLengthCount = 19;

    internal const int LiteralIndexBits = 11;
    internal const int DistanceIndexBits = 8;

    private const int CodeLengthIndexBits = 7;

    private const int RepeatLast = 16;
    private const int RepeatZero = 17;
    private const int RepeatZeroLong = 18;

    private static readonly InflateTable FixedLiterals = CreateFixedLiterals();
    private static readonly InflateTable FixedDistances = CreateFixedDistances();

    private readonly InflateTable _literals = NewLiterals();
    private readonly InflateTable _distances = NewDistances();

    // Where there is no code for code lengths at all, zlib reads zeros, and misses the end of the block then.
    private readonly InflateTable _codeLengths = new(CodeLengthIndexBits, CodeLengthCount, missing: 0);
    private readonly byte[] _lengths = new byte[DeflateAlphabet.LiteralCount + DeflateAlphabet.DistanceCount];

    /// <summary>The codes of blocks that bring none (section 3.2.6).</summary>
    internal static (uint[] Literals, uint[] Distances) FixedCodes => (FixedLiterals.Entries, FixedDistances.Entries);

    /// <summary>The codes that were read last.</summary>
    internal (uint[] Literals, uint[] Distances) Codes => (_literals.Entries, _distances.Entries);

    /// <summary>The order in which the lengths of the code of code lengths come.</summary>
    private static ReadOnlySpan<byte> CodeLengthOrder => [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

    /// <summary>Fills a buffer.</summary>
    /// <returns>False if the data is damaged, or ends before the buffer is full.</returns>
    internal bool TryFill(ReadOnlySpan<byte> input, Span<byte> output)
    {
        var state = new InflateState { Input = input, Output = output };
        return Run(ref state) != InflateStatus.Damaged && state.Filled == output.Length;
    }

    private InflateStatus Run(ref InflateState state)
    {
        bool isLast;
        do
        {
            if (!state.Need(3))
            {
                return InflateStatus.EndOfInput;
            }

            isLast = state.Take(1) == 1;
            InflateStatus status = Block(ref state, state.Take(2));
            if (status != InflateStatus.EndOfBlock)
            {
                return status;
            }
        }
        while (!isLast);

        return InflateStatus.EndOfBlock;
    }

    private InflateStatus Block(ref InflateState state, int type)
    {
        switch (type)
        {
            case 0:
                return Stored(ref state);
            case 1:
                return Symbols(ref state, FixedLiterals.Entries, FixedDistances.Entries);
            case 2:
                InflateStatus status = ReadCodes(ref state);
                return status == InflateStatus.EndOfBlock ? Symbols(ref state, _literals.Entries, _distances.Entries) : status;
            default:
                return InflateStatus.Damaged;
        }
    }

    private static InflateStatus Stored(ref InflateState state)
    {
        state.Take(state.BitCount & 7);
        if (!state.Need(32))
        {
            return InflateStatus.EndOfInput;
        }

        int length = state.Take(16);
        if (state.Take(16) != (length ^ 0xffff))
        {
            return InflateStatus.Damaged;
        }

        // What is in the bits are whole bytes now.
        state.Next -= state.BitCount >> 3;
        state.Bits = 0;
        state.BitCount = 0;
        int count = Math.Min(length, Math.Min(state.Input.Length - state.Next, state.Output.Length - state.Filled));
        state.Input.Slice(state.Next, count).CopyTo(state.Output.Slice(state.Filled));
        state.Next += count;
        state.Filled += count;
        return count == length ? InflateStatus.EndOfBlock : state.Filled == state.Output.Length ? InflateStatus.Full : InflateStatus.EndOfInput;
    }

    /// <summary>Reads the codes of a block (section 3.2.7).</summary>
    internal InflateStatus ReadCodes(ref InflateState state)
    {
        if (!state.Need(14))
        {
            return InflateStatus.EndOfInput;
        }

        int literals = state.Take(5) + 257;
        int distances = state.Take(5) + 1;
        int codeLengths = state.Take(4) + 4;
        if (literals > DeflateAlphabet.LiteralCount || distances > DeflateAlphabet.DistanceCount)
        {
            return InflateStatus.Damaged;
        }

        Span<byte> lengths = stackalloc byte[CodeLengthCount];
        lengths.Clear();
        for (int i = 0; i < codeLengths; i++)
        {
            if (!state.Need(3))
            {
                return InflateStatus.EndOfInput;
            }

            lengths[CodeLengthOrder[i]] = (byte)state.Take(3);
        }

        if (!_codeLengths.TryBuild(lengths, InflateSymbols.CodeLengths, mayBeSingle: false))
        {
            return InflateStatus.Damaged;
        }

        InflateStatus status = ReadLengths(ref state, _lengths.AsSpan(0, literals + distances));
        if (status != InflateStatus.EndOfBlock)
        {
            return status;
        }

        return _lengths[DeflateAlphabet.EndOfBlock] != 0
            && _literals.TryBuild(_lengths.AsSpan(0, literals), InflateSymbols.LiteralsAndLengths, mayBeSingle: true)
            && _distances.TryBuild(_lengths.AsSpan(literals, distances), InflateSymbols.Distances, mayBeSingle: true)
            ? InflateStatus.EndOfBlock
            : InflateStatus.Damaged;
    }

    /// <summary>Reads the lengths of both codes, which are one list: a repetition may begin in one and end in the other.</summary>
    private InflateStatus ReadLengths(ref InflateState state, Span<byte> lengths)
    {
        uint[] table = _codeLengths.Entries;
        int count = 0;
        while (count < lengths.Length)
        {
            state.Refill();
            if (!state.TakeCode(table, CodeLengthIndexBits, out uint entry))
            {
                return InflateStatus.EndOfInput;
            }

            int symbol = (int)(entry >> InflateSymbols.BaseShift);
            if (symbol < RepeatLast)
            {
                lengths[count++] = (byte)symbol;
                continue;
            }

            int bits = symbol switch { RepeatLast => 2, RepeatZero => 3, _ => 7 };
            if (!state.Need(bits))
            {
                return InflateStatus.EndOfInput;
            }

            int repeat = state.Take(bits) + (symbol == RepeatZeroLong ? 11 : 3);
            if (repeat > lengths.Length - count || (symbol == RepeatLast && count == 0))
            {
                return InflateStatus.Damaged;
            }

            lengths.Slice(count, repeat).Fill(symbol == RepeatLast ? lengths[count - 1] : (byte)0);
            count += repeat;
        }

        return InflateStatus.EndOfBlock;
    }

    private static InflateStatus Symbols(ref InflateState state, uint[] literals, uint[] distances)
    {
        InflateStatus status = InflateLoop.Run(ref state, literals, distances);
        return status == InflateStatus.NearEnd ? SymbolsNearEnd(ref state, literals, distances) : status;
    }

    /// <summary>Symbol by symbol, up to the last bit and the last byte.</summary>
    private static InflateStatus SymbolsNearEnd(ref InflateState state, uint[] literals, uint[] distances)
    {
        while (true)
        {
            if (!state.TakeCode(literals, LiteralIndexBits, out uint entry))
            {
                return InflateStatus.EndOfInput;
            }

            if ((entry & InflateSymbols.Literal) != 0)
            {
                if (state.Filled == state.Output.Length)
                {
                    return InflateStatus.Full;
                }

                state.Output[state.Filled++] = (byte)(entry >> InflateSymbols.BaseShift);
                continue;
            }

            if ((entry & InflateSymbols.Exceptional) != 0)
            {
                return (entry & InflateSymbols.EndOfBlock) != 0 ? InflateStatus.EndOfBlock : InflateStatus.Damaged;
            }

            if (!state.TakeNumber(entry, out int length) || !state.TakeCode(distances, DistanceIndexBits, out entry))
            {
                return InflateStatus.EndOfInput;
            }

            if ((entry & InflateSymbols.Exceptional) != 0)
            {
                return InflateStatus.Damaged;
            }

            if (!state.TakeNumber(entry, out int distance))
            {
                return InflateStatus.EndOfInput;
            }

            if (state.Filled == state.Output.Length)
            {
                return InflateStatus.Full;
            }

            if (distance > state.Filled)
            {
                return InflateStatus.Damaged;
            }

            int count = Math.Min(length, state.Output.Length - state.Filled);
            Repeat(state.Output, state.Filled, distance, count);
            state.Filled += count;
            if (count < length)
            {
                return InflateStatus.Full;
            }
        }
    }

    /// <summary>Copies byte by byte what lies so far back, which may be what was just copied.</summary>
    internal static void Repeat(Span<byte> output, int position, int distance, int count)
    {
        for (int end = position + count; position < end; position++)
        {
            output[position] = output[position - distance];
        }
    }

    private static InflateTable NewLiterals() => new(LiteralIndexBits, InflateSymbols.FixedLiteralCount, InflateSymbols.Exceptional);

    private static InflateTable NewDistances() => new(DistanceIndexBits, InflateSymbols.FixedDistanceCount, InflateSymbols.Exceptional);

    private static InflateTable CreateFixedLiterals()
    {
        byte[] lengths = new byte[InflateSymbols.FixedLiteralCount];
        for (int symbol = 0; symbol < lengths.Length; symbol++)
        {
            lengths[symbol] = symbol switch { < 144 => 8, < 256 => 9, < 280 => 7, _ => 8 };
        }

        InflateTable table = NewLiterals();
        table.TryBuild(lengths, InflateSymbols.LiteralsAndLengths, mayBeSingle: false);
        return table;
    }

    private static InflateTable CreateFixedDistances()
    {
        byte[] lengths = new byte[InflateSymbols.FixedDistanceCount];
        lengths.AsSpan().Fill(5);
        InflateTable table = NewDistances();
        table.TryBuild(lengths, InflateSymbols.Distances, mayBeSingle: false);
        return table;
    }
}

using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Packed.Gzip;

/// <summary>Inflates what comes piece by piece (RFC 1951).</summary>
/// <remarks>
/// The last 32 KiB that came out lie before what comes next, so that distances lead there. Where the input of a piece ends inside a symbol or a block's header, that is begun
/// again with more of it; between steps there are fewer than eight bits that no byte of the input holds any more.
/// </remarks>
internal sealed class StreamInflater
{
    private const int WindowBytes = 1 << 15;
    private const int StepBytes = 1 << 17;
    private const int LongestMatch = 258;

    /// <summary>More than the header of a block with its codes can take.</summary>
    private const int HeaderBytes = 1024;

    private readonly Inflater _codes = new();
    private readonly byte[] _output = new byte[WindowBytes + StepBytes];
    private uint[] _literals = [];
    private uint[] _distances = [];
    private Part _part;
    private bool _isLast;
    private int _stored;
    private int _restLength;
    private int _restDistance;
    private ulong _bits;
    private int _bitCount;
    private int _filled;

    private enum Part
    {
        Header,
        Stored,
        Symbols,
        End,
    }

    /// <summary>Begins another stream.</summary>
    internal void Reset()
    {
        _part = Part.Header;
        _isLast = false;
        _restLength = 0;
        _bits = 0;
        _bitCount = 0;
        _filled = 0;
    }

    /// <summary>Inflates a piece.</summary>
    /// <param name="input">Where the stream lies; at the end, it is at the first byte behind it.</param>
    /// <returns>What came out, valid until the next call; empty at the end.</returns>
    internal ReadOnlyMemory<byte> Next(PackedInput input)
    {
        if (_filled > WindowBytes)
        {
            Buffer.BlockCopy(_output, _filled - WindowBytes, _output, 0, WindowBytes);
            _filled = WindowBytes;
        }

        int start = _filled;
        while (_part != Part.End && _output.Length - _filled >= LongestMatch)
        {
            bool isWhole = input.TryGet(HeaderBytes);
            if (!Step(input) && !(isWhole && input.TryGet(input.Available.Length + 1)))
            {
                throw input.CutOff();
            }
        }

        return _output.AsMemory(start, _filled - start);
    }

    /// <summary>Goes on while there is input and room.</summary>
    /// <returns>False if more input is needed.</returns>
    private bool Step(PackedInput input)
    {
        var state = new InflateState { Input = input.Available, Output = _output, Filled = _filled, Bits = _bits, BitCount = _bitCount };
        InflateStatus status = Run(ref state);

        // Whole bytes are given back: they may be those of what follows the stream.
        int left = state.BitCount >> 3;
        state.Next -= left;
        _bitCount = state.BitCount & 7;
        _bits = state.Bits & ((1UL << _bitCount) - 1);
        _filled = state.Filled;
        input.Skip(state.Next);
        if (status == InflateStatus.Damaged)
        {
            throw input.Damaged("this is no deflate.");
        }

        if (_part == Part.End)
        {
            _bits = 0;
            _bitCount = 0;
        }

        return status != InflateStatus.EndOfInput;
    }

    private InflateStatus Run(ref InflateState state)
    {
        while (_part != Part.End)
        {
            InflateStatus status = _part switch
            {
                Part.Header => Header(ref state),
                Part.Stored => Stored(ref state),
                _ => Symbols(ref state),
            };
            if (status != InflateStatus.EndOfBlock)
            {
                return status;
            }
        }

        return InflateStatus.EndOfBlock;
    }

    private InflateStatus Header(ref InflateState state)
    {
        (int next, ulong bits, int bitCount) = (state.Next, state.Bits, state.BitCount);
        InflateStatus status = TryHeader(ref state);
        if (status == InflateStatus.EndOfInput)
        {
            (state.Next, state.Bits, state.BitCount) = (next, bits, bitCount);
        }

        return status;
    }

    private InflateStatus TryHeader(ref InflateState state)
    {
        if (!state.Need(3))
        {
            return InflateStatus.EndOfInput;
        }

        bool isLast = state.Take(1) == 1;
        switch (state.Take(2))
        {
            case 0:
                state.Take(state.BitCount & 7);
                if (!state.Need(32))
                {
                    return InflateStatus.EndOfInput;
                }

                _stored = state.Take(16);
                if (state.Take(16) != (_stored ^ 0xffff))
                {
                    return InflateStatus.Damaged;
                }

                state.Next -= state.BitCount >> 3;
                state.Bits = 0;
                state.BitCount = 0;
                _part = Part.Stored;
                break;
            case 1:
                (_literals, _distances) = Inflater.FixedCodes;
                _part = Part.Symbols;
                break;
            case 2:
                InflateStatus status = _codes.ReadCodes(ref state);
                if (status != InflateStatus.EndOfBlock)
                {
                    return status;
                }

                (_literals, _distances) = _codes.Codes;
                _part = Part.Symbols;
                break;
            default:
                return InflateStatus.Damaged;
        }

        _isLast = isLast;
        return InflateStatus.EndOfBlock;
    }

    private InflateStatus Stored(ref InflateState state)
    {
        int count = Math.Min(_stored, Math.Min(state.Input.Length - state.Next, state.Output.Length - state.Filled));
        state.Input.Slice(state.Next, count).CopyTo(state.Output.Slice(state.Filled));
        state.Next += count;
        state.Filled += count;
        _stored -= count;
        return _stored == 0 ? EndBlock() : state.Filled == state.Output.Length ? InflateStatus.Full : InflateStatus.EndOfInput;
    }

    private InflateStatus Symbols(ref InflateState state)
    {
        if (_restLength > 0)
        {
            int count = Math.Min(_restLength, state.Output.Length - state.Filled);
            Inflater.Repeat(state.Output, state.Filled, _restDistance, count);
            state.Filled += count;
            _restLength -= count;
        }

        InflateStatus status = InflateLoop.Run(ref state, _literals, _distances);
        if (status == InflateStatus.NearEnd)
        {
            status = SymbolsNearEnd(ref state);
        }
        else if (status == InflateStatus.Full)
        {
            _restLength = state.RestLength;
            _restDistance = state.RestDistance;
        }

        return status == InflateStatus.EndOfBlock ? EndBlock() : status;
    }

    /// <summary>Symbol by symbol. One whose bits are not all there is left, and so is one that may find no room.</summary>
    private InflateStatus SymbolsNearEnd(ref InflateState state)
    {
        while (state.Output.Length - state.Filled >= LongestMatch)
        {
            (int next, ulong bits, int bitCount) = (state.Next, state.Bits, state.BitCount);
            InflateStatus status = Symbol(ref state);
            if (status == InflateStatus.EndOfInput)
            {
                (state.Next, state.Bits, state.BitCount) = (next, bits, bitCount);
            }

            if (status != InflateStatus.NearEnd)
            {
                return status;
            }
        }

        return InflateStatus.Full;
    }

    private InflateStatus Symbol(ref InflateState state)
    {
        if (!state.TakeCode(_literals, Inflater.LiteralIndexBits, out uint entry))
        {
            return InflateStatus.EndOfInput;
        }

        if ((entry & InflateSymbols.Literal) != 0)
        {
            state.Output[state.Filled++] = (byte)(entry >> InflateSymbols.BaseShift);
            return InflateStatus.NearEnd;
        }

        if ((entry & InflateSymbols.Exceptional) != 0)
        {
            return (entry & InflateSymbols.EndOfBlock) != 0 ? InflateStatus.EndOfBlock : InflateStatus.Damaged;
        }

        if (!state.TakeNumber(entry, out int length) || !state.TakeCode(_distances, Inflater.DistanceIndexBits, out entry))
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

        if (distance > state.Filled)
        {
            return InflateStatus.Damaged;
        }

        Inflater.Repeat(state.Output, state.Filled, distance, length);
        state.Filled += length;
        return InflateStatus.NearEnd;
    }

    private InflateStatus EndBlock()
    {
        _part = _isLast ? Part.End : Part.Header;
        return InflateStatus.EndOfBlock;
    }
}

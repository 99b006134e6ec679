using System.Runtime.CompilerServices;

namespace Qcow2.Engine.Packed.Xz;

/// <summary>Decodes LZMA into a window, from a range coder's bytes that are all in memory, as a chunk of LZMA2 is.</summary>
internal sealed class LzmaDecoder
{
    /// <summary>What must lie behind the bytes of a chunk: a symbol of a damaged one may read so far past its end before that is seen.</summary>
    internal const int Margin = 64;

    private const int States = 12;
    private const int FirstStateAfterMatch = 7;
    private const int PositionStates = 16;
    private const int LengthStates = 4;
    private const int SlotBits = 6;
    private const int AlignBits = 4;
    private const int FirstModelledSlot = 4;
    private const int FirstDirectSlot = 14;
    private const int LiteralCoderSize = 0x300;

    private const int ModelBits = 11;
    private const ushort Half = 1 << (ModelBits - 1);
    private const int MoveBits = 5;
    private const uint TopValue = 1 << 24;
    private const int StartBytes = 5;

    private readonly LzmaWindow _window;
    private readonly ushort[] _isMatch = new ushort[States * PositionStates];
    private readonly ushort[] _isRep = new ushort[States];
    private readonly ushort[] _isRep0 = new ushort[States];
    private readonly ushort[] _isRep1 = new ushort[States];
    private readonly ushort[] _isRep2 = new ushort[States];
    private readonly ushort[] _isRep0Long = new ushort[States * PositionStates];
    private readonly ushort[] _slots = new ushort[LengthStates << SlotBits];
    private readonly ushort[] _special = new ushort[1 << 7];
    private readonly ushort[] _align = new ushort[1 << AlignBits];
    private readonly ushort[] _literals = new ushort[LiteralCoderSize << 4];
    private readonly LengthCoder _matchLength = new();
    private readonly LengthCoder _repLength = new();

    private int _literalContextBits;
    private int _literalPositionMask;
    private int _positionMask;
    private int _state;
    private int _rep0;
    private int _rep1;
    private int _rep2;
    private int _rep3;

    private byte[] _chunk = [];
    private int _next;
    private int _end;
    private uint _range;
    private uint _code;

    internal LzmaDecoder(LzmaWindow window) => _window = window;

    /// <summary>Takes the properties of what comes: how many bits of the last byte and of the position choose a coder.</summary>
    /// <returns>False if there are no such properties in LZMA2.</returns>
    internal bool TrySetProperties(byte properties)
    {
        if (properties >= 9 * 5 * 5)
        {
            return false;
        }

        int contextBits = properties % 9;
        int literalPositionBits = properties / 9 % 5;
        int positionBits = properties / 45;
        if (contextBits + literalPositionBits > 4)
        {
            return false;
        }

        _literalContextBits = contextBits;
        _literalPositionMask = (1 << literalPositionBits) - 1;
        _positionMask = (1 << positionBits) - 1;
        return true;
    }

    /// <summary>Forgets what was learned.</summary>
    internal void Reset()
    {
        _state = 0;
        _rep0 = _rep1 = _rep2 = _rep3 = 0;
        foreach (ushort[] model in (ushort[][])[_isMatch, _isRep, _isRep0, _isRep1, _isRep2, _isRep0Long, _slots, _special, _align])
        {
            model.AsSpan().Fill(Half);
        }

        int literalBits = _literalContextBits;
        for (int mask = _literalPositionMask; mask != 0; mask >>= 1)
        {
            literalBits++;
        }

        _literals.AsSpan(0, LiteralCoderSize << literalBits).Fill(Half);
        _matchLength.Reset();
        _repLength.Reset();
    }

    /// <summary>Begins with the bytes of a chunk.</summary>
    /// <param name="chunk">The bytes, and room behind them (<see cref="Margin"/>).</param>
    /// <param name="count">How many there are.</param>
    /// <returns>False if no range coder begins so.</returns>
    internal bool TryBegin(byte[] chunk, int count)
    {
        if (count < StartBytes || chunk[0] != 0)
        {
            return false;
        }

        _chunk = chunk;
        _next = StartBytes;
        _end = count;
        _range = uint.MaxValue;
        _code = ((uint)chunk[1] << 24) | ((uint)chunk[2] << 16) | ((uint)chunk[3] << 8) | chunk[4];
        return true;
    }

    /// <summary>Whether the chunk ends here, as the coder leaves it: no byte is left, and nothing in the code.</summary>
    internal bool IsAtEnd()
    {
        if (_range < TopValue)
        {
            _range <<= 8;
            _code = (_code << 8) | _chunk[_next++];
        }

        return _next == _end && _code == 0;
    }

    /// <summary>Decodes until the window's limit.</summary>
    /// <returns>False if this is no LZMA.</returns>
    internal bool TryDecode()
    {
        LzmaWindow window = _window;
        byte[] chunk = _chunk;
        int end = _end;
        uint range = _range;
        uint code = _code;
        int next = _next;
        int state = _state;
        window.CopyRest();
        while (window.HasRoom)
        {
            if (next > end)
            {
                return false;
            }

            int position = window.Position & _positionMask;
            if (Bit(ref _isMatch[(state * PositionStates) + position], ref range, ref code, chunk, ref next) == 0)
            {
                int coder = LiteralCoderSize
                    * (((window.Position & _literalPositionMask) << _literalContextBits) + (window.LastByte >> (8 - _literalContextBits)));
                Span<ushort> models = _literals.AsSpan(coder, LiteralCoderSize);
                int symbol = 1;
                if (state >= FirstStateAfterMatch)
                {
                    // The byte that the last match would have gone on with says much about this one, until the first bit that differs.
                    int match = window.ByteAt(_rep0);
                    do
                    {
                        int matchBit = (match >> 7) & 1;
                        match <<= 1;
                        int bit = Bit(ref models[((1 + matchBit) << 8) + symbol], ref range, ref code, chunk, ref next);
                        symbol = (symbol << 1) | bit;
                        if (bit != matchBit)
                        {
                            break;
                        }
                    }
                    while (symbol < 0x100);
                }

                while (symbol < 0x100)
                {
                    symbol = (symbol << 1) | Bit(ref models[symbol], ref range, ref code, chunk, ref next);
                }

                window.Put((byte)symbol);
                state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
                continue;
            }

            int length;
            if (Bit(ref _isRep[state], ref range, ref code, chunk, ref next) == 0)
            {
                _rep3 = _rep2;
                _rep2 = _rep1;
                _rep1 = _rep0;
                length = _matchLength.Decode(position, ref range, ref code, chunk, ref next);
                state = state < FirstStateAfterMatch ? 7 : 10;
                if (!TryDistance(length, ref range, ref code, chunk, ref next))
                {
                    return false;
                }
            }
            else
            {
                if (Bit(ref _isRep0[state], ref range, ref code, chunk, ref next) == 0)
                {
                    if (Bit(ref _isRep0Long[(state * PositionStates) + position], ref range, ref code, chunk, ref next) == 0)
                    {
                        if (!window.Has(_rep0))
                        {
                            return false;
                        }

                        window.Put(window.ByteAt(_rep0));
                        state = state < FirstStateAfterMatch ? 9 : 11;
                        continue;
                    }
                }
                else
                {
                    int distance;
                    if (Bit(ref _isRep1[state], ref range, ref code, chunk, ref next) == 0)
                    {
                        distance = _rep1;
                    }
                    else
                    {
                        if (Bit(ref _isRep2[state], ref range, ref code, chunk, ref next) == 0)
                        {
                            distance = _rep2;
                        }
                        else
                        {
                            distance = _rep3;
                            _rep3 = _rep2;
                        }

                        _rep2 = _rep1;
                    }

                    _rep1 = _rep0;
                    _rep0 = distance;
                }

                length = _repLength.Decode(position, ref range, ref code, chunk, ref next);
                state = state < FirstStateAfterMatch ? 8 : 11;
            }

            if (!window.Has(_rep0))
            {
                return false;
            }

            window.Repeat(_rep0, length + 2);
        }

        _range = range;
        _code = code;
        _next = next;
        _state = state;
        return next <= end;
    }

    /// <summary>Decodes a bit whose probability is learned.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Bit(ref ushort model, ref uint range, ref uint code, byte[] chunk, ref int next)
    {
        if (range < TopValue)
        {
            range <<= 8;
            code = (code << 8) | chunk[next++];
        }

        uint probability = model;
        uint bound = (range >> ModelBits) * probability;
        if (code < bound)
        {
            range = bound;
            model = (ushort)(probability + (((1 << ModelBits) - probability) >> MoveBits));
            return 0;
        }

        range -= bound;
        code -= bound;
        model = (ushort)(probability - (probability >> MoveBits));
        return 1;
    }

    /// <summary>Decodes a number, from its highest bit.</summary>
    private static int Tree(Span<ushort> models, int bits, ref uint range, ref uint code, byte[] chunk, ref int next)
    {
        int symbol = 1;
        for (int i = 0; i < bits; i++)
        {
            symbol = (symbol << 1) | Bit(ref models[symbol], ref range, ref code, chunk, ref next);
        }

        return symbol - (1 << bits);
    }

    /// <summary>Decodes a number, from its lowest bit.</summary>
    private static int ReverseTree(Span<ushort> models, int bits, ref uint range, ref uint code, byte[] chunk, ref int next)
    {
        int symbol = 1;
        int value = 0;
        for (int i = 0; i < bits; i++)
        {
            int bit = Bit(ref models[symbol], ref range, ref code, chunk, ref next);
            symbol = (symbol << 1) | bit;
            value |= bit << i;
        }

        return value;
    }

    private bool TryDistance(int length, ref uint range, ref uint code, byte[] chunk, ref int next)
    {
        int slot = Tree(_slots.AsSpan(Math.Min(length, LengthStates - 1) << SlotBits, 1 << SlotBits), SlotBits, ref range, ref code, chunk, ref next);
        if (slot < FirstModelledSlot)
        {
            _rep0 = slot;
            return true;
        }

        int bits = (slot >> 1) - 1;
        uint distance = (uint)(2 | (slot & 1)) << bits;
        if (slot < FirstDirectSlot)
        {
            // The models of a slot begin where its distances do, less one for each slot: its tree has no model 0.
            distance += (uint)ReverseTree(_special.AsSpan((int)distance - slot), bits, ref range, ref code, chunk, ref next);
        }
        else
        {
            uint direct = 0;
            for (int i = AlignBits; i < bits; i++)
            {
                if (range < TopValue)
                {
                    range <<= 8;
                    code = (code << 8) | chunk[next++];
                }

                range >>= 1;
                uint isZero = (code - range) >> 31;
                code -= range & (isZero - 1);
                direct = (direct << 1) | (1 - isZero);
            }

            distance += (direct << AlignBits) + (uint)ReverseTree(_align, AlignBits, ref range, ref code, chunk, ref next);
        }

        // The mark of an end, which LZMA2 does not have, is among those that are too far.
        _rep0 = (int)distance;
        return distance <= int.MaxValue;
    }

    /// <summary>Lengths of matches, less 2.</summary>
    private sealed class LengthCoder
    {
        private const int ShortBits = 3;
        private const int LongBits = 8;
        private const int ShortCount = 1 << ShortBits;

        private readonly ushort[] _choice = new ushort[2];
        private readonly ushort[] _low = new ushort[PositionStates << ShortBits];
        private readonly ushort[] _middle = new ushort[PositionStates << ShortBits];
        private readonly ushort[] _high = new ushort[1 << LongBits];

        internal void Reset()
        {
            foreach (ushort[] model in (ushort[][])[_choice, _low, _middle, _high])
            {
                model.AsSpan().Fill(Half);
            }
        }

        internal int Decode(int position, ref uint range, ref uint code, byte[] chunk, ref int next)
        {
            if (Bit(ref _choice[0], ref range, ref code, chunk, ref next) == 0)
            {
                return Tree(_low.AsSpan(position << ShortBits, ShortCount), ShortBits, ref range, ref code, chunk, ref next);
            }

            if (Bit(ref _choice[1], ref range, ref code, chunk, ref next) == 0)
            {
                return ShortCount + Tree(_middle.AsSpan(position << ShortBits, ShortCount), ShortBits, ref range, ref code, chunk, ref next);
            }

            return (2 * ShortCount) + Tree(_high, LongBits, ref range, ref code, chunk, ref next);
        }
    }
}

namespace Qcow2.Engine.Packed.Bzip2;

/// <summary>A block of bzip2: up to 900,000 bytes, whose order the Burrows-Wheeler transform changed, and behind that runs of them.</summary>
internal sealed class Bzip2Block(PackedInput input, Bzip2Bits bits)
{
    private const int LevelBytes = 100_000;
    private const int GroupSymbols = 50;
    private const int MostGroups = 6;
    private const int MostSelectors = 18_002;
    private const int LongestRunWeight = 1 << 21;

    /// <summary>After so many equal bytes comes how many more there are.</summary>
    private const int RunBytes = 4;

    private readonly Bzip2Code[] _codes = [.. Enumerable.Range(0, MostGroups).Select(_ => new Bzip2Code())];
    private readonly byte[] _selectors = new byte[MostSelectors];
    private readonly byte[] _recent = new byte[256];
    private readonly int[] _counts = new int[256];
    private uint[] _links = [];
    private int _left;
    private uint _link;
    private int _last;
    private int _equal;
    private int _repeats;
    private uint _sum;
    private uint _expected;

    /// <summary>The check sum that the block has, which is that of all that came out.</summary>
    internal uint Sum => _expected;

    /// <summary>Reads all of a block; what marks it was read.</summary>
    /// <param name="level">Hundreds of thousands of bytes that a block of this file may have.</param>
    internal void Begin(int level)
    {
        if (_links.Length != level * LevelBytes)
        {
            _links = new uint[level * LevelBytes];
        }

        _expected = bits.Take(32);
        if (bits.Take(1) != 0)
        {
            throw PackedErrors.Unsupported(input.Path, "A block is randomised, as bzip2 has not written them since 1998: unpack the file with bzip2 first.");
        }

        int origin = (int)bits.Take(24);
        int symbols = ReadSymbols();
        int count = ReadLinks(symbols);
        if (origin >= count)
        {
            throw Damaged();
        }

        Untangle(count);
        _link = _links[origin] >> 8;
        _left = count;
        _last = -1;
        _equal = 0;
        _repeats = 0;
        _sum = uint.MaxValue;
    }

    /// <summary>Gets the next bytes.</summary>
    /// <returns>How many; 0 only at the end of the block, whose check sum was right.</returns>
    internal int Read(Span<byte> buffer)
    {
        uint[] links = _links;
        uint link = _link;
        int done = 0;
        while (done < buffer.Length)
        {
            if (_repeats > 0)
            {
                int count = Math.Min(_repeats, buffer.Length - done);
                buffer.Slice(done, count).Fill((byte)_last);
                _repeats -= count;
                done += count;
                continue;
            }

            if (_left == 0)
            {
                break;
            }

            link = links[link];
            int value = (byte)link;
            link >>= 8;
            _left--;
            if (_equal == RunBytes)
            {
                _repeats = value;
                _equal = 0;
                continue;
            }

            _equal = value == _last ? _equal + 1 : 1;
            _last = value;
            buffer[done++] = (byte)value;
        }

        _link = link;
        _sum = Bzip2Sum.Append(_sum, buffer.Slice(0, done));
        if (done == 0 && ~_sum != _expected)
        {
            throw input.Damaged("the check sum of what came out is wrong.");
        }

        return done;
    }

    /// <summary>Reads which bytes there are, into the list of those that came last.</summary>
    /// <returns>How many.</returns>
    private int ReadSymbols()
    {
        int count = 0;
        uint groups = bits.Take(16);
        for (int group = 0; group < 16; group++)
        {
            uint present = (groups & (0x8000u >> group)) != 0 ? bits.Take(16) : 0;
            for (int i = 0; i < 16; i++)
            {
                if ((present & (0x8000u >> i)) != 0)
                {
                    _recent[count++] = (byte)((group * 16) + i);
                }
            }
        }

        return count > 0 ? count : throw Damaged();
    }

    /// <summary>Reads the codes, and which of them is for what.</summary>
    private int ReadCodes(int alphabet)
    {
        int groups = (int)bits.Take(3);
        int selectors = (int)bits.Take(15);
        if (groups is < 2 or > MostGroups || selectors == 0)
        {
            throw Damaged();
        }

        Span<byte> recent = stackalloc byte[MostGroups];
        for (int i = 0; i < groups; i++)
        {
            recent[i] = (byte)i;
        }

        for (int i = 0; i < selectors; i++)
        {
            int place = 0;
            while (bits.Take(1) == 1)
            {
                if (++place == groups)
                {
                    throw Damaged();
                }
            }

            byte group = recent[place];
            recent.Slice(0, place).CopyTo(recent.Slice(1));
            recent[0] = group;
            if (i < MostSelectors)
            {
                _selectors[i] = group; // Some programs write more than can be needed.
            }
        }

        Span<byte> lengths = stackalloc byte[Bzip2Code.MostSymbols];
        for (int group = 0; group < groups; group++)
        {
            int length = (int)bits.Take(5);
            for (int symbol = 0; symbol < alphabet; symbol++)
            {
                while (true)
                {
                    if (length is < 1 or > Bzip2Code.MostBits)
                    {
                        throw Damaged();
                    }

                    if (bits.Take(1) == 0)
                    {
                        break;
                    }

                    length += bits.Take(1) == 0 ? 1 : -1;
                }

                lengths[symbol] = (byte)length;
            }

            if (!_codes[group].TryBuild(lengths.Slice(0, alphabet)))
            {
                throw Damaged();
            }
        }

        return Math.Min(selectors, MostSelectors);
    }

    /// <summary>Reads the bytes of the block in the order that the transform gave them.</summary>
    private int ReadLinks(int symbols)
    {
        int alphabet = symbols + 2;
        int selectors = ReadCodes(alphabet);
        int end = alphabet - 1;
        uint[] links = _links;
        byte[] recent = _recent;
        _counts.AsSpan().Clear();
        int count = 0;
        int run = 0;
        int weight = 1;
        for (int selector = 0; selector < selectors; selector++)
        {
            Bzip2Code code = _codes[_selectors[selector]];
            for (int i = 0; i < GroupSymbols; i++)
            {
                int symbol = code.Take(bits);
                if (symbol is 0 or 1)
                {
                    if (weight >= LongestRunWeight)
                    {
                        throw Damaged();
                    }

                    run += weight << symbol;
                    weight <<= 1;
                    continue;
                }

                if (run > 0)
                {
                    if (run > links.Length - count)
                    {
                        throw Damaged();
                    }

                    links.AsSpan(count, run).Fill(recent[0]);
                    _counts[recent[0]] += run;
                    count += run;
                    run = 0;
                    weight = 1;
                }

                if (symbol == end)
                {
                    return count;
                }

                if (symbol < 0 || count == links.Length)
                {
                    throw Damaged();
                }

                int place = symbol - 1;
                byte value = recent[place];
                recent.AsSpan(0, place).CopyTo(recent.AsSpan(1));
                recent[0] = value;
                links[count++] = value;
                _counts[value]++;
            }
        }

        throw Damaged();
    }

    /// <summary>Undoes the transform: notes with each byte where the one behind it is.</summary>
    private void Untangle(int count)
    {
        int sum = 0;
        for (int i = 0; i < _counts.Length; i++)
        {
            int here = _counts[i];
            _counts[i] = sum;
            sum += here;
        }

        uint[] links = _links;
        int[] places = _counts;
        for (int i = 0; i < count; i++)
        {
            links[places[(byte)links[i]]++] |= (uint)i << 8;
        }
    }

    private Qcow2Exception Damaged() => input.Damaged("this is no block of bzip2.");
}

namespace Qcow2.Engine.Packed.Bzip2;

/// <summary>bzip2: one stream or several, each of blocks with their check sums.</summary>
internal sealed class Bzip2Reader : PackedReader
{
    private const uint Magic = 0x425a68; // "BZh", and then the level

    private readonly PackedInput _input;
    private readonly Bzip2Bits _bits;
    private readonly Bzip2Block _block;
    private int _level;
    private bool _isInBlock;
    private bool _isAtEnd;
    private uint _sum;

    internal Bzip2Reader(PackedInput input)
    {
        _input = input;
        _bits = new Bzip2Bits(input);
        _block = new Bzip2Block(input, _bits);
    }

    /// <inheritdoc/>
    private protected override int ReadCore(Span<byte> buffer)
    {
        while (!_isAtEnd)
        {
            if (_isInBlock)
            {
                int count = _block.Read(buffer);
                if (count > 0)
                {
                    return count;
                }

                _sum = ((_sum << 1) | (_sum >> 31)) ^ _block.Sum;
                _isInBlock = false;
            }

            Advance();
        }

        return 0;
    }

    private void Advance()
    {
        const uint firstOfBlock = 0x314159;
        const uint secondOfBlock = 0x265359;
        const uint firstOfEnd = 0x177245;
        const uint secondOfEnd = 0x385090;

        if (_level == 0)
        {
            BeginStream();
        }

        switch ((_bits.Take(24), _bits.Take(24)))
        {
            case (firstOfBlock, secondOfBlock):
                _block.Begin(_level);
                _isInBlock = true;
                break;
            case (firstOfEnd, secondOfEnd):
                if (_bits.Take(32) != _sum)
                {
                    throw _input.Damaged("the check sum of the blocks is wrong.");
                }

                if (_bits.Align())
                {
                    BeginStream();
                }
                else
                {
                    _isAtEnd = true;
                }

                break;
            default:
                throw _input.Damaged("there is no block of bzip2.");
        }
    }

    private void BeginStream()
    {
        bool isFirst = _level == 0;
        int level = _bits.Take(24) == Magic ? (int)_bits.Take(8) - '0' : 0;
        if (level is < 1 or > 9)
        {
            throw isFirst ? _input.Damaged("this is no header of bzip2.") : PackedErrors.Trailing(_input.Path, _input.Position, "bzip2 stream");
        }

        _level = level;
        _sum = 0;
    }
}

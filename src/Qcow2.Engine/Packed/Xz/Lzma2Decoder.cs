namespace Qcow2.Engine.Packed.Xz;

/// <summary>Decodes LZMA2: chunks of up to 64 KiB, each stored or LZMA, which may begin anew.</summary>
internal sealed class Lzma2Decoder
{
    /// <summary>The largest window that is taken: four times that of the highest of xz's levels.</summary>
    private const int MostWindowBytes = 256 << 20;

    private const int MostPackedBytes = 1 << 16;

    private readonly PackedInput _input;
    private readonly LzmaWindow _window = new();
    private readonly LzmaDecoder _decoder;
    private readonly byte[] _chunk = new byte[MostPackedBytes + LzmaDecoder.Margin];
    private int _left;
    private bool _isLzma;
    private bool _isAtEnd;
    private bool _needsReset;
    private bool _needsProperties;

    internal Lzma2Decoder(PackedInput input)
    {
        _input = input;
        _decoder = new LzmaDecoder(_window);
    }

    /// <summary>Begins a block.</summary>
    /// <param name="windowCode">How large its window is, as the header says it.</param>
    internal void Begin(byte windowCode)
    {
        const byte most = 40;
        long size = windowCode > most ? throw _input.Damaged("there is no window of the size that the header of a block says.")
            : windowCode == most ? uint.MaxValue
            : (2L | (windowCode & 1)) << ((windowCode / 2) + 11);
        if (size > MostWindowBytes)
        {
            throw PackedErrors.Unsupported(_input.Path, $"What is packed needs a window of {size} bytes; here it may have {MostWindowBytes}. Unpack the file with xz first.");
        }

        _window.Begin((int)size);
        _left = 0;
        _isAtEnd = false;
        _needsReset = true;
        _needsProperties = true;
    }

    /// <summary>Gets the next bytes.</summary>
    /// <returns>How many; 0 only at the end of the block.</returns>
    internal int Read(Span<byte> buffer)
    {
        while (!_window.HasOutput)
        {
            if (_left == 0)
            {
                if (_isAtEnd || !TryBeginChunk())
                {
                    _isAtEnd = true;
                    return 0;
                }
            }

            Decode();
        }

        return _window.Take(buffer);
    }

    private void Decode()
    {
        _left -= _window.Reserve(_left);
        if (!_isLzma)
        {
            _window.Put(_input);
        }
        else if (!_decoder.TryDecode() || (_left == 0 && (_window.HasRest || !_decoder.IsAtEnd())))
        {
            throw _input.Damaged("this is no LZMA.");
        }
    }

    /// <summary>Reads the head of a chunk, and of LZMA all of it.</summary>
    /// <returns>False at the end.</returns>
    private bool TryBeginChunk()
    {
        const byte end = 0;
        const byte storedAfterReset = 1;
        const byte stored = 2;
        const byte lzma = 0x80;
        const byte lzmaAfterReset = 0xe0;
        const byte lzmaWithProperties = 0xc0;
        const byte lzmaWithNewState = 0xa0;

        byte control = _input.Take();
        if (control == end)
        {
            return false;
        }

        if (control is >= lzmaAfterReset or storedAfterReset)
        {
            _window.Empty();
            _needsReset = false;
            _needsProperties = true;
        }
        else if (_needsReset || control is > stored and < lzma)
        {
            throw _input.Damaged("there is no such chunk of LZMA2.");
        }

        _isLzma = control >= lzma;
        int low = (_input.Take() << 8) | _input.Take();
        _left = (_isLzma ? (control & 0x1f) << 16 : 0) + low + 1;
        if (!_isLzma)
        {
            return true;
        }

        int count = ((_input.Take() << 8) | _input.Take()) + 1;
        if (control >= lzmaWithProperties)
        {
            if (!_decoder.TrySetProperties(_input.Take()))
            {
                throw _input.Damaged("LZMA2 has no such properties.");
            }

            _needsProperties = false;
        }
        else if (_needsProperties)
        {
            throw _input.Damaged("a chunk of LZMA2 lacks its properties.");
        }

        if (control >= lzmaWithNewState)
        {
            _decoder.Reset();
        }

        _input.Take(_chunk.AsSpan(0, count));
        return _decoder.TryBegin(_chunk, count) ? true : throw _input.Damaged("this is no LZMA.");
    }
}

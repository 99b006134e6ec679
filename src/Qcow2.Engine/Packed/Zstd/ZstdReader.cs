using ZstdSharp.Unsafe;

namespace Qcow2.Engine.Packed.Zstd;

/// <summary>Zstandard (RFC 8878): one frame or several, of which those that hold something must have a check sum; skippable ones are skipped.</summary>
internal sealed unsafe class ZstdReader : PackedReader
{
    /// <summary>The largest window that is taken, as a power of two: 128 MiB, as zstd itself takes without being told.</summary>
    private const int MostWindowBits = 27;

    private readonly PackedInput _input;
    private ZSTD_DCtx_s* _state;
    private bool _isInFrame;
    private bool _hasFrame;

    internal ZstdReader(PackedInput input)
    {
        _input = input;
        _state = Methods.ZSTD_createDCtx();
        if (_state is null)
        {
            throw new InsufficientMemoryException("There is no memory for a Zstandard decoder.");
        }

        Methods.ZSTD_DCtx_setParameter(_state, ZSTD_dParameter.ZSTD_d_windowLogMax, MostWindowBits);
    }

    ~ZstdReader() => Free();

    /// <inheritdoc/>
    public override void Dispose()
    {
        Free();
        base.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc/>
    private protected override int ReadCore(Span<byte> buffer)
    {
        while (true)
        {
            if (!_isInFrame && !TryBeginFrame())
            {
                return 0;
            }

            int count = Decode(buffer);
            if (count > 0)
            {
                return count;
            }
        }
    }

    private bool TryBeginFrame()
    {
        while (!_input.IsAtEnd)
        {
            bool isWhole = _input.TryGet(ZstdFrame.MostBytes);
            ReadOnlySpan<byte> bytes = _input.Available;
            if (ZstdFrame.TryRead(bytes.Slice(0, Math.Min(bytes.Length, ZstdFrame.MostBytes))) is not ZstdFrame frame)
            {
                bool mayBeFrame = bytes[0] == 0x28 || (bytes[0] & 0xf0) == 0x50;
                throw !isWhole && mayBeFrame ? _input.CutOff()
                    : _input.Position == 0 ? _input.Damaged("this is no frame of Zstandard.")
                    : PackedErrors.Trailing(_input.Path, _input.Position, "frame of Zstandard");
            }

            if (frame.SkippedLength is long skipped)
            {
                _input.Skip(frame.Length);
                _input.Pass(skipped);
                continue;
            }

            if (!frame.HasSum)
            {
                throw PackedErrors.Unchecked(_input.Path, "zstd");
            }

            Methods.ZSTD_DCtx_reset(_state, ZSTD_ResetDirective.ZSTD_reset_session_only);
            _isInFrame = true;
            _hasFrame = true;
            return true;
        }

        return _hasFrame ? false : throw _input.Damaged("there is no frame of Zstandard with anything in it.");
    }

    /// <summary>Decodes into a buffer; nothing comes out of what is not enough, or at the end of a frame.</summary>
    private int Decode(Span<byte> buffer)
    {
        if (!_input.TryGet(1))
        {
            throw _input.CutOff();
        }

        ReadOnlySpan<byte> available = _input.Available;
        fixed (byte* source = available)
        fixed (byte* destination = buffer)
        {
            var from = new ZSTD_inBuffer_s { src = source, size = (nuint)available.Length };
            var to = new ZSTD_outBuffer_s { dst = destination, size = (nuint)buffer.Length };
            nuint result = Methods.ZSTD_decompressStream(_state, &to, &from);
            if (Methods.ZSTD_isError(result))
            {
                throw Failure(result);
            }

            _input.Skip((int)from.pos);
            _isInFrame = result != 0;
            return (int)to.pos;
        }
    }

    private Qcow2Exception Failure(nuint result) => Methods.ZSTD_getErrorCode(result) switch
    {
        ZSTD_ErrorCode.ZSTD_error_frameParameter_windowTooLarge
            => PackedErrors.Unsupported(_input.Path, $"What is packed needs a window of more than {1 << MostWindowBits} bytes (zstd --long): unpack the file with zstd first."),
        ZSTD_ErrorCode.ZSTD_error_dictionary_wrong
            => PackedErrors.Unsupported(_input.Path, "What is packed needs a dictionary that is not in the file: unpack it with zstd -D first."),
        ZSTD_ErrorCode.ZSTD_error_checksum_wrong => _input.Damaged("the check sum of what came out is wrong."),
        _ => _input.Damaged("this is no Zstandard."),
    };

    private void Free()
    {
        if (_state is not null)
        {
            Methods.ZSTD_freeDCtx(_state);
            _state = null;
        }
    }
}

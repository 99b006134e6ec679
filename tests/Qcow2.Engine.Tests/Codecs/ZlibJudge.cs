using System.Runtime.InteropServices;

namespace Qcow2.Engine.Tests.Codecs;

/// <summary>.NET's zlib, asked as QEMU asks its own: everything that comes has come, and the output must be full. One thread uses it.</summary>
internal sealed unsafe class ZlibJudge : IDisposable
{
    private const int AnyWindow = -15;
    private const int Finish = 4;
    private const int Ok = 0;
    private const int StreamEnd = 1;
    private const int BufferError = -5;

    private readonly NativeInflate.Stream* _stream = (NativeInflate.Stream*)Marshal.AllocHGlobal(sizeof(NativeInflate.Stream));

    internal ZlibJudge()
    {
        *_stream = default;
        Assert.Equal(Ok, NativeInflate.Init(_stream, AnyWindow));
    }

    internal bool TryFill(ReadOnlySpan<byte> input, Span<byte> output)
    {
        Assert.Equal(Ok, NativeInflate.Reset(_stream, AnyWindow));
        fixed (byte* source = input)
        fixed (byte* destination = output)
        {
            _stream->NextIn = source;
            _stream->AvailableIn = (uint)input.Length;
            _stream->NextOut = destination;
            _stream->AvailableOut = (uint)output.Length;
            return NativeInflate.Run(_stream, Finish) is StreamEnd or BufferError && _stream->AvailableOut == 0;
        }
    }

    public void Dispose()
    {
        _ = NativeInflate.End(_stream);
        Marshal.FreeHGlobal((nint)_stream);
    }
}

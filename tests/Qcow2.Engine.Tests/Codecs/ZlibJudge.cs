using System.Runtime.InteropServices;

namespace Qcow2.Engine.Tests.Codecs;

/// <summary>.NET's zlib, asked as QEMU asks its own: everything that comes has come, and the output must be full. One thread uses it.</summary>
internal sealed unsafe class ZlibJudge : IDisposable
{
    private const string Library = "System.IO.Compression.Native";
    private const int AnyWindow = -15;
    private const int Finish = 4;
    private const int Ok = 0;
    private const int StreamEnd = 1;
    private const int BufferError = -5;

    private readonly ZStream* _stream = (ZStream*)Marshal.AllocHGlobal(sizeof(ZStream));

    internal ZlibJudge()
    {
        *_stream = default;
        Assert.Equal(Ok, InflateInit(_stream, AnyWindow));
    }

    internal bool TryFill(ReadOnlySpan<byte> input, Span<byte> output)
    {
        Assert.Equal(Ok, InflateReset(_stream, AnyWindow));
        fixed (byte* source = input)
        fixed (byte* destination = output)
        {
            _stream->NextIn = source;
            _stream->AvailableIn = (uint)input.Length;
            _stream->NextOut = destination;
            _stream->AvailableOut = (uint)output.Length;
            return Inflate(_stream, Finish) is StreamEnd or BufferError && _stream->AvailableOut == 0;
        }
    }

    public void Dispose()
    {
        _ = InflateEnd(_stream);
        Marshal.FreeHGlobal((nint)_stream);
    }

    [DllImport(Library, EntryPoint = "CompressionNative_InflateInit2_")]
    private static extern int InflateInit(ZStream* stream, int windowBits);

    [DllImport(Library, EntryPoint = "CompressionNative_InflateReset2_")]
    private static extern int InflateReset(ZStream* stream, int windowBits);

    [DllImport(Library, EntryPoint = "CompressionNative_Inflate")]
    private static extern int Inflate(ZStream* stream, int flush);

    [DllImport(Library, EntryPoint = "CompressionNative_InflateEnd")]
    private static extern int InflateEnd(ZStream* stream);

    [StructLayout(LayoutKind.Sequential)]
    private struct ZStream
    {
        internal byte* NextIn;
        internal byte* NextOut;
        internal nint Message;
        internal nint State;
        internal uint AvailableIn;
        internal uint AvailableOut;
    }
}

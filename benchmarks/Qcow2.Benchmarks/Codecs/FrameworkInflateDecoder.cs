using System.Runtime.InteropServices;
using Qcow2.Engine.Codecs;

namespace Qcow2.Benchmarks.Codecs;

/// <summary>Raw inflate by the zlib-ng that .NET brings for its own streams, below their API, so that what is measured is it alone.</summary>
internal sealed unsafe partial class FrameworkInflateDecoder : ClusterDecoder
{
    private const string Library = "libSystem.IO.Compression.Native";
    private const int AnyWindow = -15;
    private const int Finish = 4;
    private const int Ok = 0;
    private const int StreamEnd = 1;
    private const int BufferError = -5;

    private readonly Stream* _stream;

    internal FrameworkInflateDecoder()
    {
        _stream = (Stream*)NativeMemory.AllocZeroed((nuint)sizeof(Stream));
        if (InflateInit(_stream, AnyWindow) != Ok)
        {
            throw new InsufficientMemoryException();
        }
    }

    internal override bool TryDecode(byte[] compressed, int count, Span<byte> cluster)
    {
        fixed (byte* source = compressed)
        fixed (byte* destination = cluster)
        {
            _stream->NextIn = source;
            _stream->AvailableIn = (uint)count;
            _stream->NextOut = destination;
            _stream->AvailableOut = (uint)cluster.Length;
            int result = Inflate(_stream, Finish);
            return InflateReset(_stream, AnyWindow) == Ok && result is StreamEnd or BufferError && _stream->AvailableOut == 0;
        }
    }

    [LibraryImport(Library, EntryPoint = "CompressionNative_InflateInit2_")]
    private static partial int InflateInit(Stream* stream, int windowBits);

    [LibraryImport(Library, EntryPoint = "CompressionNative_InflateReset2_")]
    private static partial int InflateReset(Stream* stream, int windowBits);

    [LibraryImport(Library, EntryPoint = "CompressionNative_Inflate")]
    private static partial int Inflate(Stream* stream, int flush);

    [StructLayout(LayoutKind.Sequential)]
    private struct Stream
    {
        internal byte* NextIn;
        internal byte* NextOut;
        internal nint Message;
        internal nint State;
        internal uint AvailableIn;
        internal uint AvailableOut;
    }
}

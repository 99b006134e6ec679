using System.Runtime.InteropServices;
using Qcow2.Engine.Codecs;

namespace Qcow2.Benchmarks.Codecs;

/// <summary>Raw deflate with QEMU's window by the zlib-ng that .NET brings for its own streams, below their API, which has no parameter for the window.</summary>
internal sealed unsafe partial class FrameworkDeflateEncoder(int level) : ClusterEncoder
{
    private const string Library = "libSystem.IO.Compression.Native";
    private const int Deflated = 8;
    private const int WindowBits = -12;
    private const int MemoryLevel = 9;
    private const int Finish = 4;
    private const int Ok = 0;
    private const int StreamEnd = 1;

    // The library exports no way to start a stream again.
    internal override bool TryEncode(ReadOnlySpan<byte> cluster, Span<byte> compressed, out int length)
    {
        Stream stream = default;
        if (DeflateInit(&stream, level, Deflated, WindowBits, MemoryLevel, 0) != Ok)
        {
            throw new InsufficientMemoryException();
        }

        fixed (byte* source = cluster)
        fixed (byte* destination = compressed)
        {
            stream.NextIn = source;
            stream.AvailableIn = (uint)cluster.Length;
            stream.NextOut = destination;
            stream.AvailableOut = (uint)Math.Min(compressed.Length, cluster.Length - 1);
            bool isSmaller = Deflate(&stream, Finish) == StreamEnd;
            length = (int)(stream.NextOut - destination);
            _ = DeflateEnd(&stream);
            return isSmaller;
        }
    }

    public override void Dispose()
    {
        // There is nothing.
    }

    [LibraryImport(Library, EntryPoint = "CompressionNative_DeflateInit2_")]
    private static partial int DeflateInit(Stream* stream, int level, int method, int windowBits, int memoryLevel, int strategy);

    [LibraryImport(Library, EntryPoint = "CompressionNative_Deflate")]
    private static partial int Deflate(Stream* stream, int flush);

    [LibraryImport(Library, EntryPoint = "CompressionNative_DeflateEnd")]
    private static partial int DeflateEnd(Stream* stream);

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

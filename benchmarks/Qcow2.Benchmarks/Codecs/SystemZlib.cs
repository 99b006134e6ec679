using System.Runtime.InteropServices;
using Qcow2.Engine.Codecs;

namespace Qcow2.Benchmarks.Codecs;

/// <summary>The zlib that Linux brings, and qemu-img uses.</summary>
internal static unsafe partial class SystemZlib
{
    internal const int Ok = 0;
    internal const int StreamEnd = 1;
    internal const int BufferError = -5;
    internal const int Finish = 4;

    private const string Library = "libz.so.1";

    internal static bool IsAvailable { get; } = NativeLibrary.TryLoad(Library, out _);

    internal static int DeflateInit(Stream* stream, int level, int windowBits, int memoryLevel)
    {
        fixed (byte* version = "1"u8)
        {
            return DeflateInit(stream, level, 8, windowBits, memoryLevel, 0, version, sizeof(Stream));
        }
    }

    internal static int InflateInit(Stream* stream, int windowBits)
    {
        fixed (byte* version = "1"u8)
        {
            return InflateInit(stream, windowBits, version, sizeof(Stream));
        }
    }

    [LibraryImport(Library, EntryPoint = "deflateReset")]
    internal static partial int DeflateReset(Stream* stream);

    [LibraryImport(Library, EntryPoint = "deflate")]
    internal static partial int Deflate(Stream* stream, int flush);

    [LibraryImport(Library, EntryPoint = "deflateEnd")]
    internal static partial int DeflateEnd(Stream* stream);

    [LibraryImport(Library, EntryPoint = "inflateReset")]
    internal static partial int InflateReset(Stream* stream);

    [LibraryImport(Library, EntryPoint = "inflate")]
    internal static partial int Inflate(Stream* stream, int flush);

    [LibraryImport(Library, EntryPoint = "deflateInit2_")]
    private static partial int DeflateInit(Stream* stream, int level, int method, int windowBits, int memoryLevel, int strategy, byte* version, int size);

    [LibraryImport(Library, EntryPoint = "inflateInit2_")]
    private static partial int InflateInit(Stream* stream, int windowBits, byte* version, int size);

    /// <summary>z_stream, where long has 64 bits.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Stream
    {
        internal byte* NextIn;
        internal uint AvailableIn;
        internal ulong TotalIn;
        internal byte* NextOut;
        internal uint AvailableOut;
        internal ulong TotalOut;
        internal nint Message;
        internal nint State;
        internal nint Allocate;
        internal nint Free;
        internal nint Opaque;
        internal int DataType;
        internal ulong Adler;
        internal ulong Reserved;
    }
}

/// <summary>Raw deflate with QEMU's parameters: a window of 4 KiB, and 2^15 symbols a block.</summary>
internal sealed unsafe class SystemZlibEncoder : ClusterEncoder
{
    private readonly SystemZlib.Stream* _stream;

    internal SystemZlibEncoder(int level)
    {
        _stream = (SystemZlib.Stream*)NativeMemory.AllocZeroed((nuint)sizeof(SystemZlib.Stream));
        if (SystemZlib.DeflateInit(_stream, level, -12, 9) != SystemZlib.Ok)
        {
            throw new InsufficientMemoryException();
        }
    }

    internal override bool TryEncode(ReadOnlySpan<byte> cluster, Span<byte> compressed, out int length)
    {
        fixed (byte* source = cluster)
        fixed (byte* destination = compressed)
        {
            _stream->NextIn = source;
            _stream->AvailableIn = (uint)cluster.Length;
            _stream->NextOut = destination;
            _stream->AvailableOut = (uint)Math.Min(compressed.Length, cluster.Length - 1);
            bool isSmaller = SystemZlib.Deflate(_stream, SystemZlib.Finish) == SystemZlib.StreamEnd;
            length = (int)(_stream->NextOut - destination);
            return SystemZlib.DeflateReset(_stream) == SystemZlib.Ok && isSmaller;
        }
    }

    public override void Dispose()
    {
        _ = SystemZlib.DeflateEnd(_stream);
        NativeMemory.Free(_stream);
    }
}

/// <summary>Raw inflate, as QEMU calls it. Lives as long as the process.</summary>
internal sealed unsafe class SystemZlibDecoder : ClusterDecoder
{
    private readonly SystemZlib.Stream* _stream;

    internal SystemZlibDecoder()
    {
        _stream = (SystemZlib.Stream*)NativeMemory.AllocZeroed((nuint)sizeof(SystemZlib.Stream));
        if (SystemZlib.InflateInit(_stream, -12) != SystemZlib.Ok)
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
            int result = SystemZlib.Inflate(_stream, SystemZlib.Finish);
            return SystemZlib.InflateReset(_stream) == SystemZlib.Ok && result is SystemZlib.StreamEnd or SystemZlib.BufferError && _stream->AvailableOut == 0;
        }
    }
}

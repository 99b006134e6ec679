using System.Runtime.InteropServices;

namespace Qcow2.Engine.Tests.Codecs;

/// <summary>The zlib that .NET brings, called as C calls it: what is judged by must not be ours.</summary>
internal static unsafe class NativeInflate
{
    private const string Library = "System.IO.Compression.Native";

    [DllImport(Library, EntryPoint = "CompressionNative_InflateInit2_")]
    internal static extern int Init(Stream* stream, int windowBits);

    [DllImport(Library, EntryPoint = "CompressionNative_InflateReset2_")]
    internal static extern int Reset(Stream* stream, int windowBits);

    [DllImport(Library, EntryPoint = "CompressionNative_Inflate")]
    internal static extern int Run(Stream* stream, int flush);

    [DllImport(Library, EntryPoint = "CompressionNative_InflateEnd")]
    internal static extern int End(Stream* stream);

    /// <summary>What of zlib's <c>z_stream</c> .NET shows.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Stream
    {
        internal byte* NextIn;
        internal byte* NextOut;
        internal nint Message;
        internal nint State;
        internal uint AvailableIn;
        internal uint AvailableOut;
    }
}

#if NET
using System.IO.Compression;
using System.Runtime.InteropServices;

namespace Qcow2.Engine.Codecs;

/// <summary>The zlib that .NET brings for its own <see cref="DeflateStream"/>, which has no parameter for the window.</summary>
/// <remarks>
/// The functions belong to no public API, but .NET 8, 9 and 10 have the same. They are looked for once; where one is missing,
/// everybody takes the managed way.
/// </remarks>
internal static unsafe class NativeZlib
{
    internal const int Ok = 0;
    internal const int StreamEnd = 1;

    /// <summary>Everything that comes has come, and there is room for all: what zlib calls Z_FINISH.</summary>
    internal const int Finish = 4;

    internal const int NoFlush = 0;

    private const int Deflated = 8;
    private const int DefaultStrategy = 0;

    private static readonly nint Library = Load();

    private static readonly delegate* unmanaged<Stream*, int, int, int, int, int, int> DeflateInitFunction
        = (delegate* unmanaged<Stream*, int, int, int, int, int, int>)Find("CompressionNative_DeflateInit2_");

    private static readonly delegate* unmanaged<Stream*, int, int> DeflateFunction
        = (delegate* unmanaged<Stream*, int, int>)Find("CompressionNative_Deflate");

    private static readonly delegate* unmanaged<Stream*, int> DeflateEndFunction
        = (delegate* unmanaged<Stream*, int>)Find("CompressionNative_DeflateEnd");

    /// <summary>Whether the library and the functions that are needed were found.</summary>
    internal static bool IsAvailable { get; }
        = DeflateInitFunction is not null && DeflateFunction is not null && DeflateEndFunction is not null;

    internal static int DeflateInit(Stream* stream, int level, int windowBits, int memoryLevel)
        => DeflateInitFunction(stream, level, Deflated, windowBits, memoryLevel, DefaultStrategy);

    internal static int Deflate(Stream* stream, int flush) => DeflateFunction(stream, flush);

    internal static int DeflateEnd(Stream* stream) => DeflateEndFunction(stream);

    // From where the framework's own assembly finds it, and not from the folder of ours.
    private static nint Load()
    {
        string name = OperatingSystem.IsWindows() ? "System.IO.Compression.Native" : "libSystem.IO.Compression.Native";
        return NativeLibrary.TryLoad(name, typeof(DeflateStream).Assembly, null, out nint library) ? library : 0;
    }

    private static nint Find(string function)
        => Library != 0 && NativeLibrary.TryGetExport(Library, function, out nint address) ? address : 0;

    /// <summary>A stream as the functions see it; zlib's own is behind <see cref="State"/>.</summary>
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
#endif

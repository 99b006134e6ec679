using System.Runtime.InteropServices;
using Qcow2.Engine.Codecs;

namespace Qcow2.Benchmarks.Codecs;

/// <summary>The Zstandard library that Linux brings, and qemu-img uses.</summary>
internal static unsafe partial class SystemZstd
{
    internal const int CompressionLevel = 100;

    private const string Library = "libzstd.so.1";

    internal static bool IsAvailable { get; } = NativeLibrary.TryLoad(Library, out _);

    [LibraryImport(Library, EntryPoint = "ZSTD_isError")]
    internal static partial uint IsError(nuint result);

    [LibraryImport(Library, EntryPoint = "ZSTD_createDCtx")]
    internal static partial nint CreateDecoder();

    [LibraryImport(Library, EntryPoint = "ZSTD_findFrameCompressedSize")]
    internal static partial nuint FrameSize(byte* source, nuint size);

    [LibraryImport(Library, EntryPoint = "ZSTD_decompressDCtx")]
    internal static partial nuint Decompress(nint decoder, byte* destination, nuint room, byte* source, nuint size);

    [LibraryImport(Library, EntryPoint = "ZSTD_createCCtx")]
    internal static partial nint CreateEncoder();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeCCtx")]
    internal static partial nuint FreeEncoder(nint encoder);

    [LibraryImport(Library, EntryPoint = "ZSTD_CCtx_setParameter")]
    internal static partial nuint SetParameter(nint encoder, int parameter, int value);

    [LibraryImport(Library, EntryPoint = "ZSTD_compress2")]
    internal static partial nuint Compress(nint encoder, byte* destination, nuint room, byte* source, nuint size);
}

/// <summary>One frame for each cluster, as ours.</summary>
internal sealed unsafe class SystemZstdEncoder : ClusterEncoder
{
    private readonly nint _state = SystemZstd.CreateEncoder();

    internal SystemZstdEncoder(int level)
    {
        if (_state == 0 || SystemZstd.IsError(SystemZstd.SetParameter(_state, SystemZstd.CompressionLevel, level)) != 0)
        {
            throw new InsufficientMemoryException();
        }
    }

    internal override bool TryEncode(ReadOnlySpan<byte> cluster, Span<byte> compressed, out int length)
    {
        fixed (byte* source = cluster)
        fixed (byte* destination = compressed)
        {
            nuint result = SystemZstd.Compress(_state, destination, (nuint)Math.Min(compressed.Length, cluster.Length - 1), source, (nuint)cluster.Length);
            bool isSmaller = SystemZstd.IsError(result) == 0;
            length = isSmaller ? (int)result : 0;
            return isSmaller;
        }
    }

    public override void Dispose() => _ = SystemZstd.FreeEncoder(_state);
}

/// <summary>A whole frame at once. Lives as long as the process.</summary>
internal sealed unsafe class SystemZstdDecoder : ClusterDecoder
{
    private readonly nint _state = SystemZstd.CreateDecoder();

    internal override bool TryDecode(byte[] compressed, int count, Span<byte> cluster)
    {
        fixed (byte* source = compressed)
        fixed (byte* destination = cluster)
        {
            nuint size = SystemZstd.FrameSize(source, (nuint)count);
            return SystemZstd.IsError(size) == 0 && SystemZstd.Decompress(_state, destination, (nuint)cluster.Length, source, size) == (nuint)cluster.Length;
        }
    }
}

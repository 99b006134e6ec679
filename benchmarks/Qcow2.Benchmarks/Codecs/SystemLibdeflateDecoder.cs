using System.Runtime.InteropServices;
using Qcow2.Engine.Codecs;

namespace Qcow2.Benchmarks.Codecs;

/// <summary>Inflate by libdeflate, where Linux has it; it takes whole buffers, as we do. Lives as long as the process.</summary>
internal sealed unsafe partial class SystemLibdeflateDecoder : ClusterDecoder
{
    private const string Library = "libdeflate.so.0";

    private readonly nint _state = Create();

    internal static bool IsAvailable { get; } = NativeLibrary.TryLoad(Library, out _);

    internal override bool TryDecode(byte[] compressed, int count, Span<byte> cluster)
    {
        fixed (byte* source = compressed)
        fixed (byte* destination = cluster)
        {
            nint read;
            nint written;
            return Decompress(_state, source, count, destination, cluster.Length, &read, &written) == 0 && written == cluster.Length;
        }
    }

    [LibraryImport(Library, EntryPoint = "libdeflate_alloc_decompressor")]
    private static partial nint Create();

    [LibraryImport(Library, EntryPoint = "libdeflate_deflate_decompress_ex")]
    private static partial int Decompress(nint state, byte* source, nint count, byte* destination, nint room, nint* read, nint* written);
}

using Qcow2.Engine.Codecs;

namespace Qcow2.Benchmarks.Codecs;

/// <summary>Which codecs are measured: a family to a method, ours first. Libraries that this machine does not have are left out.</summary>
internal static class CodecRows
{
    internal static IEnumerable<CodecRow> For(byte[][] clusters) => [.. Inflate(clusters), .. Deflate(clusters), .. Zstd(clusters)];

    private static IEnumerable<CodecRow> Inflate(byte[][] clusters)
    {
        // As QEMU writes clusters, where its zlib is here.
        using ClusterEncoder writer = SystemZlib.IsAvailable ? new SystemZlibEncoder(6) : new DeflateEncoder(6);
        var streams = CompressedSample.Of(clusters, writer);
        yield return new DecodingRow("inflate: ours", new InflateDecoder(), streams);
        yield return new DecodingRow("inflate: .NET's zlib-ng", new FrameworkInflateDecoder(), streams);
        if (SystemLibdeflateDecoder.IsAvailable)
        {
            yield return new DecodingRow("inflate: libdeflate", new SystemLibdeflateDecoder(), streams);
        }

        if (SystemZlib.IsAvailable)
        {
            yield return new DecodingRow("inflate: zlib, as qemu-img has it", new SystemZlibDecoder(), streams);
        }
    }

    private static IEnumerable<CodecRow> Deflate(byte[][] clusters)
    {
        ClusterDecoder decoder = new InflateDecoder();
        for (int level = 1; level <= 9; level++)
        {
            yield return new EncodingRow($"deflate {level}: ours", new DeflateEncoder(level), decoder, clusters);
        }

        foreach (int level in (int[])[1, 3, 6, 9])
        {
            yield return new EncodingRow($"deflate {level}: .NET's zlib-ng", new FrameworkDeflateEncoder(level), decoder, clusters);
        }

        if (SystemZlib.IsAvailable)
        {
            yield return new EncodingRow("deflate 6: zlib, as qemu-img has it", new SystemZlibEncoder(6), decoder, clusters);
        }
    }

    private static IEnumerable<CodecRow> Zstd(byte[][] clusters)
    {
        var decoder = new ZstdDecoder();
        using var writer = ZstdEncoder.Create(3);
        var sample = CompressedSample.Of(clusters, writer);
        yield return new DecodingRow("zstd decoding: ours", decoder, sample);
        yield return new EncodingRow("zstd encoding 3: ours", ZstdEncoder.Create(3), decoder, clusters);
        if (SystemZstd.IsAvailable)
        {
            yield return new DecodingRow("zstd decoding: libzstd, as qemu-img has it", new SystemZstdDecoder(), sample);
            yield return new EncodingRow("zstd encoding 3: libzstd, as qemu-img has it", new SystemZstdEncoder(3), decoder, clusters);
        }
    }
}

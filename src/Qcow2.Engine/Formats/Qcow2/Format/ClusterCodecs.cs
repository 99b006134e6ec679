using Qcow2.Engine.Codecs;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Format;

/// <summary>What an image's compression type means.</summary>
internal static class ClusterCodecs
{
    /// <summary>The decoder for an image's compression type.</summary>
    internal static ClusterDecoder Decoder(CompressionType type) => type switch
    {
        CompressionType.Deflate => new InflateDecoder(),
        CompressionType.Zstd => new ZstdDecoder(),
        _ => throw Qcow2Errors.Unsupported($"compression_type is {(byte)type}; known are 0 (deflate) and 1 (zstd)."),
    };

    /// <summary>An encoder for a compression type.</summary>
    /// <param name="type">The image's compression type.</param>
    /// <param name="level">One of <see cref="CompressionLevels"/>; null for the default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The type is unknown, or has no such level.</exception>
    internal static ClusterEncoder Encoder(CompressionType type, int? level = null)
    {
        int resolved = CompressionLevels.Resolve(type, level);
        return type == CompressionType.Zstd ? ZstdEncoder.Create(resolved) : new DeflateEncoder(resolved);
    }

    /// <summary>Encoders for a compression type.</summary>
    internal static ClusterEncoderPool Encoders(CompressionType type, int? level = null) => new(() => Encoder(type, level));
}

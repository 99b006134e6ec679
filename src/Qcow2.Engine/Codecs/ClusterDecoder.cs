using Qcow2.Engine.Format;

namespace Qcow2.Engine.Codecs;

/// <summary>Turns the compressed data of a cluster into the cluster. Safe to use from many threads at once.</summary>
/// <remarks>
/// The compressed length that an L2 entry gives is an upper bound, so what follows the end of the stream is ignored;
/// work stops when the cluster is full, whatever the stream still holds.
/// </remarks>
internal abstract class ClusterDecoder
{
    /// <summary>The decoder for an image's compression type.</summary>
    internal static ClusterDecoder For(CompressionType type) => type switch
    {
        CompressionType.Deflate => InflateDecoder.Create(),
        CompressionType.Zstd => new ZstdDecoder(),
        _ => throw Qcow2Errors.Unsupported($"compression_type is {(byte)type}; known are 0 (deflate) and 1 (zstd)."),
    };

    /// <summary>Fills a cluster.</summary>
    /// <param name="compressed">The compressed data, from its first byte; may be followed by other bytes.</param>
    /// <param name="count">Bytes of <paramref name="compressed"/> that count.</param>
    /// <param name="cluster">Filled whole.</param>
    /// <returns>False if the data is damaged or ends before the cluster is full.</returns>
    internal abstract bool TryDecode(byte[] compressed, int count, Span<byte> cluster);
}

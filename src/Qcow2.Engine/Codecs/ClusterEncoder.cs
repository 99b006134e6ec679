using System.IO.Compression;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Codecs;

/// <summary>Compresses a cluster, if that makes it smaller.</summary>
internal static class ClusterEncoder
{
    private const int ZstdLevel = 3;

    /// <summary>Compresses a cluster.</summary>
    /// <param name="type">The image's compression type.</param>
    /// <param name="cluster">Holds the cluster.</param>
    /// <param name="clusterSize">Bytes of it.</param>
    /// <param name="compressed">Where the compressed data goes; at least a cluster.</param>
    /// <param name="length">Bytes of compressed data.</param>
    /// <returns>False if it would not be smaller than the cluster.</returns>
    internal static bool TryEncode(CompressionType type, byte[] cluster, int clusterSize, byte[] compressed, out int length)
        => type == CompressionType.Zstd
            ? TryZstd(cluster, clusterSize, compressed, out length)
            : TryDeflate(cluster, clusterSize, compressed, out length);

    private static bool TryDeflate(byte[] cluster, int clusterSize, byte[] compressed, out int length)
    {
        using var output = new MemoryStream(compressed, 0, clusterSize - 1, writable: true);
        try
        {
            using (var deflater = new DeflateStream(output, CompressionLevel.Optimal, leaveOpen: true))
            {
                deflater.Write(cluster, 0, clusterSize);
            }

            length = (int)output.Position;
            return true;
        }
        catch (NotSupportedException)
        {
            length = 0; // The stream does not grow: it is full.
            return false;
        }
    }

    private static bool TryZstd(byte[] cluster, int clusterSize, byte[] compressed, out int length)
    {
        using var compressor = new ZstdSharp.Compressor(ZstdLevel);
        return compressor.TryWrap(new ReadOnlySpan<byte>(cluster, 0, clusterSize), new Span<byte>(compressed, 0, clusterSize - 1), out length);
    }
}

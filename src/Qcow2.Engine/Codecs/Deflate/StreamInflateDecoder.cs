using System.IO.Compression;

namespace Qcow2.Engine.Codecs;

/// <summary>Raw deflate (RFC 1951), whatever window it was written with.</summary>
internal sealed class StreamInflateDecoder : ClusterDecoder
{
    internal override bool TryDecode(byte[] compressed, int count, Span<byte> cluster)
    {
        using var input = new MemoryStream(compressed, 0, count, writable: false);
        using var inflater = new DeflateStream(input, CompressionMode.Decompress);
        try
        {
            return TryFill(inflater, cluster);
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    private static bool TryFill(DeflateStream inflater, Span<byte> cluster)
    {
#if NET
        return inflater.ReadAtLeast(cluster, cluster.Length, throwOnEndOfStream: false) == cluster.Length;
#else
        byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(cluster.Length);
        try
        {
            int filled = 0;
            while (filled < cluster.Length)
            {
                int read = inflater.Read(buffer, filled, cluster.Length - filled);
                if (read == 0)
                {
                    return false;
                }

                filled += read;
            }

            buffer.AsSpan(0, filled).CopyTo(cluster);
            return true;
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
#endif
    }
}

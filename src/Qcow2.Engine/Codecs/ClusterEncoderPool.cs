using System.Buffers;
using System.Collections.Concurrent;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Codecs;

/// <summary>Encoders of one type and level, as many as were ever in use at once. Safe to use from many threads.</summary>
internal sealed class ClusterEncoderPool(CompressionType type, int? level = null) : IDisposable
{
    private readonly ConcurrentBag<ClusterEncoder> _idle = [];

    /// <inheritdoc cref="ClusterEncoder.TryEncode"/>
    internal bool TryEncode(ReadOnlySpan<byte> cluster, Span<byte> compressed, out int length)
    {
        if (!_idle.TryTake(out ClusterEncoder? encoder))
        {
            encoder = ClusterEncoder.For(type, level);
        }

        try
        {
            return encoder.TryEncode(cluster, compressed, out length);
        }
        finally
        {
            _idle.Add(encoder);
        }
    }

    /// <summary>Compresses a cluster of which only a part lies inside the disk; the rest is zeros.</summary>
    internal bool TryEncode(ReadOnlySpan<byte> data, int clusterSize, Span<byte> compressed, out int length)
    {
        if (data.Length == clusterSize)
        {
            return TryEncode(data, compressed, out length);
        }

        byte[] cluster = ArrayPool<byte>.Shared.Rent(clusterSize);
        try
        {
            data.CopyTo(cluster);
            cluster.AsSpan(data.Length, clusterSize - data.Length).Clear();
            return TryEncode(cluster.AsSpan(0, clusterSize), compressed, out length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(cluster);
        }
    }

    public void Dispose()
    {
        while (_idle.TryTake(out ClusterEncoder? encoder))
        {
            encoder.Dispose();
        }
    }
}

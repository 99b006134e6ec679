using System.Buffers;
using System.Collections.Concurrent;

namespace Qcow2.Engine.Codecs;

/// <summary>Encoders of one kind, as many as were ever in use at once. Safe to use from many threads.</summary>
/// <param name="create">Makes one.</param>
internal sealed class ClusterEncoderPool(Func<ClusterEncoder> create) : IDisposable
{
    private readonly ConcurrentBag<ClusterEncoder> _idle = [];

    /// <inheritdoc cref="ClusterEncoder.TryEncode"/>
    internal bool TryEncode(ReadOnlySpan<byte> cluster, Span<byte> compressed, out int length)
    {
        if (!_idle.TryTake(out ClusterEncoder? encoder))
        {
            encoder = create();
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

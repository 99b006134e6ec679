using System.Buffers;
using System.Collections.Concurrent;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Codecs;

/// <summary>Encoders for many threads, each of which is used again and again.</summary>
internal sealed class ClusterEncoderPool(CompressionType type, int? level) : IDisposable
{
    private readonly ConcurrentBag<ClusterEncoder> _idle = [ClusterEncoder.For(type, level)];

    /// <summary>Compresses a cluster.</summary>
    /// <param name="data">The cluster, or as much of it as lies inside the disk; the rest is zeros.</param>
    /// <param name="clusterSize">Bytes of the whole cluster.</param>
    /// <param name="compressed">Where the compressed data goes.</param>
    /// <param name="length">Bytes of it.</param>
    /// <returns>False if it would not be smaller than the cluster, or not fit.</returns>
    internal bool TryEncode(ReadOnlySpan<byte> data, int clusterSize, Span<byte> compressed, out int length)
    {
        if (data.Length == clusterSize)
        {
            return TryEncode(data, compressed, out length);
        }

        byte[] whole = ArrayPool<byte>.Shared.Rent(clusterSize);
        try
        {
            data.CopyTo(whole);
            whole.AsSpan(data.Length, clusterSize - data.Length).Clear();
            return TryEncode(whole.AsSpan(0, clusterSize), compressed, out length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(whole);
        }
    }

    public void Dispose()
    {
        while (_idle.TryTake(out ClusterEncoder? encoder))
        {
            encoder.Dispose();
        }
    }

    private bool TryEncode(ReadOnlySpan<byte> cluster, Span<byte> compressed, out int length)
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
}

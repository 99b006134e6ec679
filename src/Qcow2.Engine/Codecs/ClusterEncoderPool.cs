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

    public void Dispose()
    {
        while (_idle.TryTake(out ClusterEncoder? encoder))
        {
            encoder.Dispose();
        }
    }
}

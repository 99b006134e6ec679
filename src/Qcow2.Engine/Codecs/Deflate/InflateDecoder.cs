using System.Collections.Concurrent;

namespace Qcow2.Engine.Codecs;

/// <summary>Raw deflate (RFC 1951), whatever window it was written with.</summary>
/// <remarks>
/// What is damaged and what is not says zlib, as QEMU calls it: see <see cref="Inflater"/>. Nothing native is called, so it is the same everywhere.
/// </remarks>
internal sealed class InflateDecoder : ClusterDecoder
{
    private readonly ConcurrentBag<Inflater> _idle = [];

    internal override bool TryDecode(byte[] compressed, int count, Span<byte> cluster)
    {
        if (!_idle.TryTake(out Inflater? inflater))
        {
            inflater = new Inflater();
        }

        bool isFilled = inflater.TryFill(compressed.AsSpan(0, count), cluster);
        _idle.Add(inflater);
        return isFilled;
    }
}

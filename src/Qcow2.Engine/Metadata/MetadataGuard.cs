using System.Collections.Concurrent;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Metadata;

/// <summary>
/// Knows where the image's own metadata lies, so that no write of the guest's data ever lands there. In a sound image none
/// would; in a damaged one, this is where the damage stops spreading. Changed under the writer's gate, asked from any thread.
/// </summary>
internal sealed class MetadataGuard
{
    private readonly int _clusterBits;
    private readonly ConcurrentDictionary<long, string> _clusters = new();
    private readonly ConcurrentDictionary<string, (long First, long End)> _ranges = new();

    internal MetadataGuard(int clusterBits)
    {
        _clusterBits = clusterBits;
        SetRange(0, 1, "the header");
    }

    /// <summary>Protects a structure that takes few clusters.</summary>
    internal void Add(long offset, long length, string name)
    {
        for (long cluster = offset >> _clusterBits; cluster <= (offset + length - 1) >> _clusterBits; cluster++)
        {
            _clusters[cluster] = name;
        }
    }

    /// <summary>Protects a structure that may take many clusters, and its old place no longer if it had one.</summary>
    internal void SetRange(long offset, long length, string name)
    {
        if (length > 0)
        {
            _ranges[name] = (offset >> _clusterBits, ((offset + length - 1) >> _clusterBits) + 1);
        }
    }

    /// <summary>Forgets what lay in a cluster that was given up.</summary>
    internal void Remove(long cluster) => _clusters.TryRemove(cluster, out _);

    /// <summary>Refuses a write that would hit metadata.</summary>
    /// <exception cref="Qcow2Exception">It would: the image is corrupt.</exception>
    internal void Check(long offset, long length)
    {
        for (long cluster = offset >> _clusterBits; cluster <= (offset + length - 1) >> _clusterBits; cluster++)
        {
            string? hit = _clusters.TryGetValue(cluster, out string? name) ? name : FindRange(cluster);
            if (hit is not null)
            {
                throw new MetadataOverlapException(cluster << _clusterBits, hit);
            }
        }
    }

    private string? FindRange(long cluster)
    {
        foreach (KeyValuePair<string, (long First, long End)> range in _ranges)
        {
            if (cluster >= range.Value.First && cluster < range.Value.End)
            {
                return range.Key;
            }
        }

        return null;
    }
}

/// <summary>Guest data was about to be written over metadata.</summary>
internal sealed class MetadataOverlapException(long offset, string structure) : Qcow2Exception(
    Qcow2ErrorCode.ImageCorrupt,
    $"The image maps guest data to 0x{offset:x}, where {structure} lies. Nothing was written there, and the image was marked corrupt.");

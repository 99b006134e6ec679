namespace Qcow2.Engine.Codecs;

/// <summary>
/// The compressed clusters that were decompressed last, so that reading one in small pieces decompresses it once.
/// Bounded to about 1 MiB, or to four clusters where those are larger.
/// </summary>
internal sealed class DecodedClusterCache
{
    private const int TargetBytes = 1 << 20;
    private const int MinClusters = 4;
    private const int MaxClusters = 64;

    private readonly (long HostOffset, byte[] Cluster)[] _clusters;
    private int _next;

    internal DecodedClusterCache(int clusterSize)
        => _clusters = new (long, byte[])[Math.Min(MaxClusters, Math.Max(MinClusters, TargetBytes / clusterSize))];

    /// <summary>Returns the cluster whose compressed data starts at a host offset; nobody may write into it.</summary>
    internal byte[] GetOrAdd(long hostOffset, Func<byte[]> decode)
    {
        lock (_clusters)
        {
            foreach ((long known, byte[] cluster) in _clusters)
            {
                if (known == hostOffset && cluster is not null)
                {
                    return cluster;
                }
            }
        }

        byte[] decoded = decode();
        lock (_clusters)
        {
            _clusters[_next] = (hostOffset, decoded);
            _next = (_next + 1) % _clusters.Length;
        }

        return decoded;
    }

    /// <summary>Forgets the cluster whose compressed data started at a host offset: other data is about to lie there.</summary>
    internal void Remove(long hostOffset)
    {
        lock (_clusters)
        {
            for (int i = 0; i < _clusters.Length; i++)
            {
                if (_clusters[i].HostOffset == hostOffset)
                {
                    _clusters[i] = default;
                }
            }
        }
    }
}

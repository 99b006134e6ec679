using System.Collections.Concurrent;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <summary>
/// Knows where the image's own metadata lies, so that no write of the guest's data ever lands there. In a sound image none
/// would; in a damaged one, this is where the damage stops spreading. Checks are safe beside one thread that changes it.
/// </summary>
internal sealed class MetadataGuard
{
    private readonly int _clusterBits;
    private readonly ConcurrentDictionary<long, string> _clusters = new();
    private volatile (long First, long End, string Name)[] _ranges = [];

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

    /// <summary>Protects a structure that may take many clusters, and its old place no longer if it had one. Length 0 says that there is none.</summary>
    internal void SetRange(long offset, long length, string name)
    {
        AddRanges([(offset, length)], name);
    }

    /// <summary>
    /// Protects structures of one kind, however many they are and however they overlap, and no longer those of that kind that
    /// were protected before.
    /// </summary>
    internal void AddRanges(IEnumerable<(long Offset, long Length)> ranges, string name)
    {
        var merged = new List<(long First, long End, string Name)>();
        foreach ((long offset, long length) in ranges.Where(range => range.Length > 0).OrderBy(range => range.Offset))
        {
            long first = offset >> _clusterBits;
            long end = ((offset + length - 1) >> _clusterBits) + 1;
            if (merged.Count > 0 && merged[merged.Count - 1].End >= first)
            {
                (long mergedFirst, long mergedEnd, _) = merged[merged.Count - 1];
                merged[merged.Count - 1] = (mergedFirst, Math.Max(mergedEnd, end), name);
            }
            else
            {
                merged.Add((first, end, name));
            }
        }

        // A structure that moved is protected at its new place only, and one that is gone not at all.
        _ranges = [.. _ranges.Where(range => range.Name != name), .. merged];
    }

    /// <summary>Forgets what lay in a cluster that was given up.</summary>
    internal void Remove(long cluster) => _clusters.TryRemove(cluster, out _);

    /// <summary>Forgets what lay in runs of clusters that were given up.</summary>
    internal void Remove(IReadOnlyList<(long First, long End)> runs)
    {
        var remaining = new List<long>(_clusters.Keys);
        remaining.Sort();
        int next = 0;
        foreach ((long first, long end) in runs.OrderBy(run => run.First))
        {
            while (next < remaining.Count && remaining[next] < first)
            {
                next++;
            }

            for (; next < remaining.Count && remaining[next] < end; next++)
            {
                Remove(remaining[next]);
            }
        }
    }

    /// <summary>Refuses a write that would hit metadata.</summary>
    /// <exception cref="Qcow2Exception">It would: the image is corrupt.</exception>
    internal void Check(long offset, long length)
    {
        if (Find(offset, length) is (long at, string name))
        {
            throw new MetadataOverlapException(at, name);
        }
    }

    /// <summary>The first cluster of a range that metadata takes, and what lies there; null if none is.</summary>
    /// <param name="offset">Where the range starts.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <param name="except">A kind of range that does not count.</param>
    internal (long Offset, string Name)? Find(long offset, long length, string? except = null)
    {
        for (long cluster = offset >> _clusterBits; cluster <= (offset + length - 1) >> _clusterBits; cluster++)
        {
            if (_clusters.TryGetValue(cluster, out string? name))
            {
                return (cluster << _clusterBits, name);
            }

            foreach ((long first, long end, string range) in _ranges)
            {
                if (cluster >= first && cluster < end && range != except)
                {
                    return (cluster << _clusterBits, range);
                }
            }
        }

        return null;
    }
}

/// <summary>Guest data was about to be written over metadata.</summary>
internal sealed class MetadataOverlapException(long offset, string structure) : Qcow2Exception(
    Qcow2ErrorCode.ImageCorrupt,
    $"The image maps guest data to 0x{offset:x}, where {structure} lies. Nothing was written there, and the image was marked corrupt.");

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <content>What becomes of clusters that nothing refers to any more.</content>
internal sealed partial class DiskWriter
{
    // Clusters that a discard gave up: the host gets their space back. Others are merely free for what comes next.
    private readonly HashSet<long> _discarded = [];

    /// <summary>The disk has lost every reference to these clusters, and nobody is on the way to them.</summary>
    private void OnFreed(IReadOnlyList<long> clusters)
    {
        var holes = new SortedSet<long>();
        foreach (long cluster in clusters)
        {
            _guard.Remove(cluster);
            ForgetCompressedEnd(cluster);
            if (_discarded.Remove(cluster))
            {
                holes.Add(cluster);
            }
        }

        PunchHoles(holes);
    }

    private void PunchHoles(SortedSet<long> clusters)
    {
        long first = -1;
        long end = -1;
        foreach (long cluster in clusters)
        {
            if (cluster != end)
            {
                PunchHole(first, end);
                first = cluster;
            }

            end = cluster + 1;
        }

        PunchHole(first, end);
    }

    private void PunchHole(long first, long end)
    {
        if (first >= 0)
        {
            // A host that cannot do this keeps the space until the clusters are used again.
            _ = _resources.Image.TryPunchHole(first << ClusterBits, (end - first) << ClusterBits);
        }
    }
}

using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <summary>How many clusters the metadata of an image takes when every cluster of the disk has a place of its own.</summary>
internal static class FullLayout
{
    /// <summary>Header, L1 and L2 tables, and the refcounts of these and of the data; in clusters.</summary>
    /// <param name="size">Size of the disk, in bytes.</param>
    /// <param name="geometry">The cluster sizes.</param>
    /// <param name="refcounts">The width of a refcount.</param>
    internal static long MetadataClusters(long size, ClusterGeometry geometry, RefcountOrder refcounts)
    {
        long l2Tables = geometry.L1EntriesFor(size);
        long counted = 1 + l2Tables + Clusters(l2Tables * L1Entry.Length, geometry);
        return counted + RefcountClusters(counted + Clusters(size, geometry), geometry, refcounts);
    }

    /// <summary>Clusters that a number of bytes takes.</summary>
    internal static long Clusters(long bytes, ClusterGeometry geometry)
        => (bytes >> geometry.ClusterBits) + (geometry.IsClusterAligned(bytes) ? 0 : 1);

    /// <summary>Refcount blocks, and the clusters of their table, that count a number of clusters and themselves.</summary>
    private static long RefcountClusters(long clusters, ClusterGeometry geometry, RefcountOrder refcounts)
    {
        long perBlock = refcounts.EntriesPerBlock(geometry.ClusterSize);
        long own = 0;
        while (true)
        {
            long blocks = (clusters + own + perBlock - 1) / perBlock;
            long needed = blocks + Clusters(blocks * RefcountTableEntry.Length, geometry);
            if (needed == own)
            {
                return own;
            }

            own = needed; // More clusters to count may take a block more.
        }
    }
}

namespace Qcow2.Engine.Format;

/// <summary>The sizes that follow from an image's <c>cluster_bits</c> and the kind of its L2 entries.</summary>
public readonly record struct ClusterGeometry
{
    /// <summary>Derives the sizes.</summary>
    /// <param name="clusterBits">The header's <c>cluster_bits</c>; 9 to 21.</param>
    /// <param name="extendedL2">Whether L2 entries are extended.</param>
    public ClusterGeometry(int clusterBits, bool extendedL2)
    {
        ClusterBits = clusterBits;
        IsExtendedL2 = extendedL2;
    }

    /// <summary>The cluster size as a power of two.</summary>
    public int ClusterBits { get; }

    /// <summary>Whether L2 entries are 16 bytes and describe subclusters.</summary>
    public bool IsExtendedL2 { get; }

    /// <summary>Bytes in a cluster.</summary>
    public int ClusterSize => 1 << ClusterBits;

    /// <summary>Bytes in an L2 entry: 8 or 16.</summary>
    public int L2EntryLength => IsExtendedL2 ? L2Entry.ExtendedLength : L2Entry.Length;

    /// <summary>Number of entries in an L2 table, as a power of two.</summary>
    public int L2Bits => ClusterBits - (IsExtendedL2 ? 4 : 3);

    /// <summary>Guest bytes that one L2 table maps, as a power of two; what one L1 entry stands for.</summary>
    public int L1CoverageBits => ClusterBits + L2Bits;

    /// <summary>Smallest unit of allocation, as a power of two: a subcluster, or a cluster where there are none.</summary>
    public int SubclusterBits => IsExtendedL2 ? ClusterBits - 5 : ClusterBits;

    /// <summary>Position of a guest offset inside its cluster.</summary>
    public int OffsetInCluster(long offset) => (int)(offset & (ClusterSize - 1));

    /// <summary>Whether an offset is the start of a cluster.</summary>
    public bool IsClusterAligned(long offset) => OffsetInCluster(offset) == 0;

    /// <summary>L1 entries needed to map a disk of the given size.</summary>
    /// <param name="size">Disk size in bytes.</param>
    public long L1EntriesFor(long size)
    {
        long coverage = 1L << L1CoverageBits;
        return (size >> L1CoverageBits) + ((size & (coverage - 1)) != 0 ? 1 : 0);
    }
}

namespace Qcow2.Engine.Format;

/// <summary>
/// Where a compressed cluster's data lies (spec: "Cluster mapping", Compressed Clusters Descriptor). The data starts at
/// any byte, may share its sectors with its neighbours and may run on into the next host cluster.
/// </summary>
public readonly record struct CompressedClusterDescriptor
{
    private const int SectorSize = 512;

    private readonly ulong _value;
    private readonly int _offsetBits;

    /// <summary>Takes a compressed L2 entry apart.</summary>
    /// <param name="l2Entry">The entry's 64 bits; bits 62 and 63 are ignored.</param>
    /// <param name="clusterBits">The image's <c>cluster_bits</c>.</param>
    public CompressedClusterDescriptor(ulong l2Entry, int clusterBits)
    {
        _value = l2Entry;
        _offsetBits = 62 - (clusterBits - 8);
    }

    /// <summary>Describes compressed data that is about to be written.</summary>
    /// <param name="hostOffset">Host offset of the first byte.</param>
    /// <param name="length">Number of bytes; at least one.</param>
    /// <param name="clusterBits">The image's <c>cluster_bits</c>.</param>
    public static CompressedClusterDescriptor Create(long hostOffset, int length, int clusterBits)
    {
        int offsetBits = 62 - (clusterBits - 8);
        ulong additionalSectors = (ulong)(((hostOffset + length - 1) / SectorSize) - (hostOffset / SectorSize));
        return new CompressedClusterDescriptor((ulong)hostOffset | (additionalSectors << offsetBits), clusterBits);
    }

    /// <summary>Host offset of the first byte of compressed data.</summary>
    public long HostOffset => (long)(_value & ((1UL << _offsetBits) - 1));

    /// <summary>Number of 512-byte sectors the data may touch beyond the one it starts in.</summary>
    public int AdditionalSectors => (int)((_value & ~L2Entry.CopiedFlag & ~L2Entry.CompressedFlag) >> _offsetBits);

    /// <summary>
    /// Most bytes the compressed data can have: up to the end of the last sector. The stream itself says where it
    /// ends, and may end sooner.
    /// </summary>
    public int Length => ((AdditionalSectors + 1) * SectorSize) - (int)(HostOffset & (SectorSize - 1));

    /// <summary>The L2 entry that holds this descriptor.</summary>
    public L2Entry ToL2Entry() => new((_value & ~L2Entry.CopiedFlag) | L2Entry.CompressedFlag);
}

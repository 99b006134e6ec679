namespace Qcow2.Engine.Format;

/// <summary>The numbers past which QEMU refuses an image. This engine refuses at the same points.</summary>
public static class Qcow2Limits
{
    /// <summary>Smallest <c>cluster_bits</c>: clusters of 512 bytes.</summary>
    public const int MinClusterBits = 9;

    /// <summary>Largest <c>cluster_bits</c>: clusters of 2 MiB.</summary>
    public const int MaxClusterBits = 21;

    /// <summary>Smallest <c>cluster_bits</c> of an image with extended L2 entries: clusters of 16 KiB.</summary>
    public const int MinExtendedL2ClusterBits = 14;

    /// <summary>Largest L1 table, in bytes: 32 MiB.</summary>
    public const long MaxL1TableBytes = 32L << 20;

    /// <summary>Largest refcount table, in bytes: 8 MiB.</summary>
    public const long MaxRefcountTableBytes = 8L << 20;

    /// <summary>Largest <c>refcount_order</c>: counts of 64 bits.</summary>
    public const int MaxRefcountOrder = 6;

    /// <summary>Most internal snapshots in an image.</summary>
    public const int MaxSnapshots = 65_536;

    /// <summary>Most extra data in one snapshot table entry, in bytes.</summary>
    public const int MaxSnapshotExtraDataBytes = 1_024;

    /// <summary>Largest snapshot table, in bytes: 64 MiB.</summary>
    public const long MaxSnapshotTableBytes = 1_024L * MaxSnapshots;

    /// <summary>Longest backing file name, in bytes.</summary>
    public const int MaxBackingFileNameBytes = 1_023;

    /// <summary>Most bitmaps in an image.</summary>
    public const int MaxBitmaps = 65_535;

    /// <summary>Longest bitmap name, in bytes.</summary>
    public const int MaxBitmapNameBytes = 1_023;

    /// <summary>Smallest bitmap granularity, as a power of two: 512 bytes a bit.</summary>
    public const int MinBitmapGranularityBits = 9;

    /// <summary>Largest bitmap granularity, as a power of two: 2 GiB a bit.</summary>
    public const int MaxBitmapGranularityBits = 31;

    /// <summary>Largest bitmap table, in entries: 32 MiB of table.</summary>
    public const int MaxBitmapTableEntries = 0x400_0000 / sizeof(ulong);

    /// <summary>Most bytes that the clusters of one bitmap may take: 512 MiB.</summary>
    public const long MaxBitmapDataBytes = 512L << 20;

    /// <summary>Largest bitmap directory, in bytes: every bitmap with the longest name.</summary>
    public const long MaxBitmapDirectoryBytes = (long)MaxBitmaps * (BitmapDirectoryEntry.FixedLength + MaxBitmapNameBytes + 1);

    /// <summary>First host offset that an L1 or L2 entry can no longer express (bits 9-55): 64 PiB.</summary>
    public const long HostOffsetEnd = 1L << 56;
}

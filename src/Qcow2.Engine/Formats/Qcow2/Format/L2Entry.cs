namespace Qcow2.Engine.Format;

/// <summary>
/// One entry of an L2 table, or the first half of an extended one: where a guest cluster's data lies (spec: "Cluster
/// mapping", L2 table entry).
/// </summary>
/// <param name="Value">The entry's 64 bits, in host byte order.</param>
public readonly record struct L2Entry(ulong Value)
{
    internal const ulong OffsetMask = 0x00ff_ffff_ffff_fe00;
    internal const ulong ZeroFlag = 1;
    internal const ulong CompressedFlag = 1UL << 62;
    internal const ulong CopiedFlag = 1UL << 63;

    /// <summary>Size of a standard entry in the file, in bytes.</summary>
    public const int Length = sizeof(ulong);

    /// <summary>Size of an extended entry in the file, in bytes (spec: "Extended L2 Entries").</summary>
    public const int ExtendedLength = 2 * sizeof(ulong);

    /// <summary>A cluster that lies in no host cluster.</summary>
    public static L2Entry Unallocated => default;

    /// <summary>Creates the entry of a standard cluster.</summary>
    /// <param name="hostOffset">Host offset of the cluster, in bytes; cluster-aligned.</param>
    /// <param name="isCopied">Whether the host cluster's refcount is exactly one.</param>
    /// <param name="readsAsZeros">Sets the zero flag (version 3, not with extended entries).</param>
    public static L2Entry Standard(long hostOffset, bool isCopied, bool readsAsZeros = false)
        => new(((ulong)hostOffset & OffsetMask) | (isCopied ? CopiedFlag : 0) | (readsAsZeros ? ZeroFlag : 0));

    /// <summary>Host offset of a standard cluster, in bytes (bits 9-55). Meaningless for a compressed one.</summary>
    public long Offset => (long)(Value & OffsetMask);

    /// <summary>Bit 62: the cluster is compressed; see <see cref="CompressedCluster"/>.</summary>
    public bool IsCompressed => (Value & CompressedFlag) != 0;

    /// <summary>Bit 63: the host cluster's refcount is exactly one. Accurate in active tables only.</summary>
    public bool IsCopied => (Value & CopiedFlag) != 0;

    /// <summary>
    /// Bit 0 of a standard entry: the cluster reads as zeros, whatever its offset and the backing file say. Version 3
    /// only; in an extended entry the bit is reserved.
    /// </summary>
    public bool IsZero => !IsCompressed && (Value & ZeroFlag) != 0;

    /// <summary>
    /// Whether the entry refers to a host cluster. Offset 0 with <see cref="IsCopied"/> is guest cluster 0 of an image
    /// with an external data file.
    /// </summary>
    public bool IsUsed => IsCompressed || Offset != 0 || IsCopied;

    /// <summary>Whether reads go to the backing file: no host cluster and no zero flag.</summary>
    public bool IsUnallocated => !IsUsed && !IsZero;

    /// <summary>Where the compressed data lies.</summary>
    /// <param name="clusterBits">The image's <c>cluster_bits</c>, on which the entry's layout depends.</param>
    public CompressedClusterDescriptor CompressedCluster(int clusterBits) => new(Value, clusterBits);
}

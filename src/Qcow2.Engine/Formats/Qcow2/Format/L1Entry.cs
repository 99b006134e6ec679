namespace Qcow2.Engine.Format;

/// <summary>One entry of an L1 table: where an L2 table lies (spec: "Cluster mapping", L1 table entry).</summary>
/// <param name="Value">The entry's 64 bits, in host byte order.</param>
public readonly record struct L1Entry(ulong Value)
{
    internal const ulong OffsetMask = 0x00ff_ffff_ffff_fe00;
    internal const ulong CopiedFlag = 1UL << 63;

    /// <summary>Size of an entry in the file, in bytes.</summary>
    public const int Length = sizeof(ulong);

    /// <summary>Creates the entry that points to an L2 table.</summary>
    /// <param name="offset">Host offset of the L2 table, in bytes; cluster-aligned.</param>
    /// <param name="isCopied">Whether the table's refcount is exactly one.</param>
    public L1Entry(long offset, bool isCopied)
        : this(((ulong)offset & OffsetMask) | (isCopied ? CopiedFlag : 0))
    {
    }

    /// <summary>Host offset of the L2 table, in bytes (bits 9-55); 0 when there is none.</summary>
    public long Offset => (long)(Value & OffsetMask);

    /// <summary>Whether the entry points to an L2 table. If not, everything it covers is unallocated.</summary>
    public bool IsUsed => Offset != 0;

    /// <summary>Bit 63: the L2 table's refcount is exactly one. Accurate in the active L1 table only.</summary>
    public bool IsCopied => (Value & CopiedFlag) != 0;

    /// <summary>Bits 0-8 and 56-62, which the specification wants to be zero.</summary>
    public ulong ReservedBits => Value & ~(OffsetMask | CopiedFlag);
}

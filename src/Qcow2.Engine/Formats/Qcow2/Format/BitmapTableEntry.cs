namespace Qcow2.Engine.Format;

/// <summary>One entry of a bitmap table: where a cluster of bitmap data lies (spec: "Bitmap table").</summary>
/// <param name="Value">The entry's 64 bits, in host byte order.</param>
public readonly record struct BitmapTableEntry(ulong Value)
{
    private const ulong OffsetMask = 0x00ff_ffff_ffff_fe00;

    /// <summary>Size of an entry in the file, in bytes.</summary>
    public const int Length = sizeof(ulong);

    /// <summary>Host offset of the cluster, in bytes (bits 9-55); 0 when there is none.</summary>
    public long Offset => (long)(Value & OffsetMask);

    /// <summary>Whether bitmap data lies in a cluster.</summary>
    public bool IsUsed => Offset != 0;

    /// <summary>Whether every bit of the data is one, without a cluster that says so.</summary>
    public bool IsAllOnes => !IsUsed && (Value & 1) != 0;

    /// <summary>Bits that the specification wants to be zero: 1-8 and 56-63, and bit 0 beside an offset.</summary>
    public ulong ReservedBits => Value & ~OffsetMask & ~(IsUsed ? 0UL : 1UL);
}

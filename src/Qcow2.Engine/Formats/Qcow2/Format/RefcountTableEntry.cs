namespace Qcow2.Engine.Format;

/// <summary>One entry of the refcount table: where a refcount block lies (spec: "Host cluster management").</summary>
/// <param name="Value">The entry's 64 bits, in host byte order.</param>
public readonly record struct RefcountTableEntry(ulong Value)
{
    internal const ulong OffsetMask = 0xffff_ffff_ffff_fe00;

    /// <summary>Size of an entry in the file, in bytes.</summary>
    public const int Length = sizeof(ulong);

    /// <summary>Host offset of the refcount block, in bytes (bits 9-63); 0 when there is none.</summary>
    public ulong Offset => Value & OffsetMask;

    /// <summary>Whether there is a block. If not, every count it would hold is 0.</summary>
    public bool IsUsed => Offset != 0;

    /// <summary>Bits 0-8, which the specification wants to be zero.</summary>
    public ulong ReservedBits => Value & ~OffsetMask;
}

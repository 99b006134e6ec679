namespace Qcow2.Engine.Format;

/// <summary>
/// The second half of an extended L2 entry: the state of a cluster's 32 subclusters (spec: "Extended L2 Entries").
/// Bit 0 of each half stands for the first subcluster.
/// </summary>
/// <param name="Value">The bitmap's 64 bits, in host byte order.</param>
public readonly record struct SubclusterBitmap(ulong Value)
{
    /// <summary>Subclusters in a cluster.</summary>
    public const int Count = 32;

    /// <summary>Builds a bitmap from its two halves.</summary>
    /// <param name="allocated">One bit for each subcluster that lies in the host cluster.</param>
    /// <param name="zero">One bit for each subcluster that reads as zeros.</param>
    public SubclusterBitmap(uint allocated, uint zero)
        : this(allocated | ((ulong)zero << 32))
    {
    }

    /// <summary>Bits 0-31: the subclusters that lie in the host cluster.</summary>
    public uint Allocated => (uint)Value;

    /// <summary>Bits 32-63: the subclusters that read as zeros.</summary>
    public uint Zero => (uint)(Value >> 32);

    /// <summary>Whether no subcluster is both allocated and zero, which the specification forbids.</summary>
    public bool IsValid => (Allocated & Zero) == 0;
}

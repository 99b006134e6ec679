namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <summary>
/// A write whose place is decided, by a caller that decides the order in which clusters are allocated, and that is carried out or
/// given up later, by any thread.
/// </summary>
/// <param name="Offset">Guest offset.</param>
/// <param name="Length">Bytes of the disk.</param>
/// <param name="Plan">The clusters that it takes; null where the disk has clusters of its own there.</param>
internal readonly record struct ReservedWrite(long Offset, int Length, WritePlan? Plan)
{
    /// <summary>Whether another one goes on where this one ends, on the disk and in the file.</summary>
    internal bool IsContinuedBy(ReservedWrite next)
        => next.Offset == Offset + Length && Plan is WritePlan plan && next.Plan is WritePlan other && other.ToHost(next.Offset) == plan.ToHost(Offset) + Length;
}

/// <summary>A place for the compressed data of one cluster.</summary>
/// <param name="Offset">Guest offset of the cluster.</param>
/// <param name="HostOffset">Where the compressed data goes.</param>
/// <param name="Length">Bytes of it.</param>
internal readonly record struct CompressedReservation(long Offset, long HostOffset, int Length);

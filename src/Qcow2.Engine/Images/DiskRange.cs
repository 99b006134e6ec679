namespace Qcow2.Engine;

/// <summary>A stretch of a disk.</summary>
/// <param name="Offset">Where it starts, in bytes.</param>
/// <param name="Length">Bytes.</param>
public readonly record struct DiskRange(long Offset, long Length)
{
    /// <summary>Where it ends: the offset after its last byte.</summary>
    public long End => Offset + Length;
}

namespace Qcow2.Engine;

/// <summary>A stretch of a disk.</summary>
/// <param name="Offset">Where it starts, in bytes.</param>
/// <param name="Length">Bytes.</param>
public readonly record struct DiskRange(long Offset, long Length)
{
    /// <summary>Where it ends: the offset after its last byte.</summary>
    public long End => Offset + Length;

    /// <summary>The offset and the length, in bytes: <c>0x10000+65536</c>.</summary>
    public override string ToString() => $"0x{Offset:x}+{Length}";
}

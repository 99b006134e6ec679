namespace Qcow2.Engine.Disks.Copying;

/// <summary>A piece of a disk on its way to a file of blocks, with what of it is written and where to.</summary>
internal sealed class BlockParcel(int capacity) : CopyParcel(capacity)
{
    /// <summary>What is not zeros: first and length in the piece, in order.</summary>
    internal List<(int Start, int Length)> Runs { get; } = [];

    /// <summary>What is written: first and length in the piece, the place in the file, and that of the block if this is the first of it; else -1.</summary>
    internal List<(int Start, int Length, long Place, long NewBlock)> Writes { get; } = [];
}

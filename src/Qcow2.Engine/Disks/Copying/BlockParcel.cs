namespace Qcow2.Engine.Disks.Copying;

/// <summary>A piece of a disk on its way to a file of blocks, with what of it is written and where to.</summary>
internal sealed class BlockParcel(int capacity) : CopyParcel(capacity)
{
    /// <summary>What is not zeros: first and length in the piece, in order.</summary>
    internal List<(int Start, int Length)> Runs { get; } = [];

    /// <summary>What is written: first and length in the piece, the place in the file, and that of the block if this is the first of it; else -1.</summary>
    internal List<(int Start, int Length, long Place, long NewBlock)> Writes { get; } = [];

    /// <summary>
    /// Adds a write. What goes on with the one before, in the piece and in the file, becomes one with it: blocks may be small. A block that begins where
    /// the one before ends has nothing in front of it.
    /// </summary>
    internal void AddWrite(int start, int length, long place, long newBlock)
    {
        if (Writes.Count > 0 && Writes[Writes.Count - 1] is var last && last.Start + last.Length == start && last.Place + last.Length == place)
        {
            Writes[Writes.Count - 1] = last with { Length = last.Length + length };
        }
        else
        {
            Writes.Add((start, length, place, newBlock));
        }
    }
}

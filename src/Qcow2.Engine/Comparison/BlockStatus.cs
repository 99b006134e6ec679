namespace Qcow2.Engine.Comparison;

/// <summary>What a strict comparison tells apart of a stretch of a disk, beyond its bytes.</summary>
[Flags]
internal enum BlockStatus
{
    None = 0,

    /// <summary>Reads as zeros without being read.</summary>
    Zero = 1,

    /// <summary>Some file of the chain says what is here.</summary>
    Allocated = 2,

    /// <summary>It has a place in a file.</summary>
    Placed = 4,
}

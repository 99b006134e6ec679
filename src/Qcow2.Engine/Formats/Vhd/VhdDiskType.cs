namespace Qcow2.Engine.Formats.Vhd;

/// <summary>How a VHD keeps its disk (spec: "Disk Type"). Other numbers are reserved or were never used.</summary>
internal enum VhdDiskType : uint
{
    /// <summary>The disk's bytes, then the footer.</summary>
    Fixed = 2,

    /// <summary>Blocks, where the block allocation table says.</summary>
    Dynamic = 3,

    /// <summary>As dynamic, over a parent that has what is not here.</summary>
    Differencing = 4,
}

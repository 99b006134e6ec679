namespace Qcow2.PowerShell;

/// <summary>How a new file of a format other than qcow2 and raw keeps its disk.</summary>
public enum DiskImageType
{
    /// <summary>The file grows as the disk is written: a dynamic VHD, VHDX or VDI, and VMware's <c>monolithicSparse</c>.</summary>
    Dynamic,

    /// <summary>Every block of the disk has its place from the start: a fixed VHD, VHDX or VDI, and VMware's <c>monolithicFlat</c>.</summary>
    Fixed,

    /// <summary>VMDK in one file that grows, for VMware Workstation, Fusion and Player; the same as <see cref="Dynamic"/>.</summary>
    MonolithicSparse,

    /// <summary>VMDK of two files, the descriptor and the whole disk, for VMware Workstation, Fusion and Player; the same as <see cref="Fixed"/>.</summary>
    MonolithicFlat,

    /// <summary>VMDK of a descriptor and a file that grows for each 2,047 MiB of the disk, for file systems with small files.</summary>
    TwoGbMaxExtentSparse,

    /// <summary>VMDK of a descriptor and a file for each 2,047 MiB of the disk.</summary>
    TwoGbMaxExtentFlat,

    /// <summary>VMDK that is compressed and written once: what an OVA or OVF package holds, and what vSphere imports.</summary>
    StreamOptimized,

    /// <summary>VMDK of two files, the descriptor and the whole disk, as they lie on a datastore of ESXi.</summary>
    Vmfs,
}

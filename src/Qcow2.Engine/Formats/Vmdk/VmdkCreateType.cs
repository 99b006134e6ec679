namespace Qcow2.Engine;

/// <summary>What kind of VMDK disk is made: which files, and how the disk lies in them. The names are VMware's.</summary>
public enum VmdkCreateType
{
    /// <summary>One file that grows, for VMware Workstation and Fusion, and for VirtualBox. ESXi cannot run it.</summary>
    MonolithicSparse,

    /// <summary>A descriptor, and beside it a file with all of the disk (<c>name-flat.vmdk</c>), for VMware Workstation and Fusion.</summary>
    MonolithicFlat,

    /// <summary>A descriptor, and beside it a file that grows for each 2047 MiB of the disk (<c>name-s001.vmdk</c>), for VMware Workstation and Fusion.</summary>
    TwoGbMaxExtentSparse,

    /// <summary>A descriptor, and beside it a file for each 2047 MiB of the disk (<c>name-f001.vmdk</c>), for VMware Workstation and Fusion.</summary>
    TwoGbMaxExtentFlat,

    /// <summary>One file, compressed and written once, as it lies in an OVA or OVF package and is imported from there.</summary>
    StreamOptimized,

    /// <summary>A descriptor, and beside it a file with all of the disk (<c>name-flat.vmdk</c>), as ESXi runs it from its datastore (<c>createType="vmfs"</c>).</summary>
    VmfsFlat,
}

using Qcow2.Engine;

namespace Qcow2.PowerShell;

/// <summary>Formats of disk images that a cmdlet reads or writes: by their names those of <see cref="DiskFormats"/>.</summary>
public enum DiskImageFormat
{
    /// <summary>The bytes of the disk and nothing else.</summary>
    Raw,

    /// <summary>QEMU's copy-on-write format.</summary>
    Qcow2,

    /// <summary>The format of Virtual PC, Hyper-V and Azure.</summary>
    Vhd,

    /// <summary>The format of Hyper-V since Windows 8.</summary>
    Vhdx,

    /// <summary>The format of VMware.</summary>
    Vmdk,

    /// <summary>The format of VirtualBox.</summary>
    Vdi,

    /// <summary>QEMU's first copy-on-write format, QCOW of version 1. It is only read.</summary>
    Qcow,

    /// <summary>QEMU's enhanced disk format. It is only read.</summary>
    Qed,

    /// <summary>The format of Parallels, of which a file (<c>.hds</c>) is read and no folder. It is only read.</summary>
    Parallels,
}

/// <summary>What the names of formats mean to the engine.</summary>
internal static class DiskImageFormats
{
    internal static DiskFormat Known(this DiskImageFormat format) => DiskFormats.Get(format.ToString());

    internal static DiskImageFormat Of(DiskFormat format) => Enum.TryParse(format.Name, ignoreCase: true, out DiskImageFormat named)
        ? named
        : throw new InvalidOperationException($"No parameter has a name for the format {format.Name}.");
}

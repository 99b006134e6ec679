namespace Qcow2.PowerShell;

/// <summary>Formats of disk images that a cmdlet writes.</summary>
public enum DiskImageFormat
{
    /// <summary>The bytes of the disk and nothing else.</summary>
    Raw,

    /// <summary>QEMU's copy-on-write format.</summary>
    Qcow2,
}

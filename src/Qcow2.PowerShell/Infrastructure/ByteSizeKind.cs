namespace Qcow2.PowerShell.Infrastructure;

/// <summary>What a number of bytes stands for, which decides how it may be written.</summary>
public enum ByteSizeKind
{
    /// <summary>A number of bytes, of which one is as good as any other: an offset, a length, a rate.</summary>
    Count,

    /// <summary>The size of a disk. A small bare number is a unit that was forgotten.</summary>
    Disk,

    /// <summary>The size of a disk, or with a sign how much larger or smaller it becomes.</summary>
    DiskOrChange,
}

namespace Qcow2.Engine;

/// <summary>What the headers of a VHD say that other formats do not have.</summary>
public sealed class VhdInfo
{
    /// <summary>Who made it, in four characters: <c>win</c> (Windows), <c>vpc</c> (Virtual PC), <c>vbox</c>, <c>qemu</c> or <c>qem2</c>, <c>d2v</c> (disk2vhd) and others.</summary>
    public string Creator { get; set; } = "";

    /// <summary>Version of who made it.</summary>
    public string CreatorVersion { get; set; } = "";

    /// <summary>Where it was made: <c>Wi2k</c> (Windows, and whoever says so) or <c>Mac</c>.</summary>
    public string CreatorHostOs { get; set; } = "";

    /// <summary>When it was made, in UTC.</summary>
    public DateTime CreationTime { get; set; }

    /// <summary>Size of the disk when it was made, in bytes.</summary>
    public long OriginalSize { get; set; }

    /// <summary>What a BIOS is told: cylinders, heads and sectors of a track, as <c>301/4/17</c>.</summary>
    public string Geometry { get; set; } = "";

    /// <summary>Bytes that the geometry reaches. QEMU cuts the disks of some programs to that; here the disk is always whole.</summary>
    public long GeometrySize { get; set; }

    /// <summary>Whether it was meant to be deleted on shutdown.</summary>
    public bool IsTemporary { get; set; }

    /// <summary>Whether a virtual machine was saved with it.</summary>
    public bool IsSavedState { get; set; }

    /// <summary>Where a differencing disk says that its parent is, in the order in which it is looked for.</summary>
    public string[] ParentNames { get; set; } = [];

    /// <summary>The time of the parent that a differencing disk recorded, in UTC; null where it recorded none.</summary>
    public DateTime? ParentTime { get; set; }

    /// <summary>The creator and the geometry.</summary>
    public override string ToString() => FormattableString.Invariant($"{Creator} {CreatorVersion}, {Geometry}");
}

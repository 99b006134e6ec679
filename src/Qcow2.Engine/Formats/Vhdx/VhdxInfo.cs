namespace Qcow2.Engine;

/// <summary>What the headers of a VHDX file say that other formats do not have.</summary>
public sealed class VhdxInfo
{
    /// <summary>What made the file, in its own words, which nothing vouches for.</summary>
    public string Creator { get; set; } = "";

    /// <summary>Changes with the disk's content; a differencing disk names its parent's.</summary>
    public string DataWriteId { get; set; } = "";

    /// <summary>Changes whenever the file is opened for writing.</summary>
    public string FileWriteId { get; set; } = "";

    /// <summary>Whether the file was not closed, and its log holds what was written last. What is shown and read here has it.</summary>
    public bool HasLog { get; set; }

    /// <summary>The <see cref="DataWriteId"/> of which the parent must have one; empty without a parent.</summary>
    public string[] ParentDataWriteIds { get; set; } = [];

    /// <summary>Where the parent may be, as the file says; empty without a parent.</summary>
    public string[] ParentNames { get; set; } = [];

    /// <summary>What made it.</summary>
    public override string ToString() => Creator;
}

namespace Qcow2.Engine;

/// <summary>What a VMDK descriptor says that other formats do not have.</summary>
public sealed class VmdkInfo
{
    /// <summary>The adapter that the disk was made for: <c>ide</c>, <c>lsilogic</c>, <c>buslogic</c>; empty if it does not say.</summary>
    public string AdapterType { get; set; } = "";

    /// <summary>The extents, in the order of the disk, as the descriptor has them; empty where all lies in one file.</summary>
    public string[] Extents { get; set; } = [];

    /// <summary>The adapter.</summary>
    public override string ToString() => AdapterType;
}

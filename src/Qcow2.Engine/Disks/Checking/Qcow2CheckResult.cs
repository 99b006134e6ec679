namespace Qcow2.Engine;

/// <summary>
/// The verdict of a check, in the numbers of <c>qemu-img check</c>. The properties can be set, so that a script's tests can build one.
/// What is a cluster in a qcow2 image is a block of a VHD, VHDX or VDI image, and a grain of a VMDK image.
/// </summary>
public sealed class Qcow2CheckResult : Qcow2ImageObject
{
    /// <summary>Full path of the image.</summary>
    public override string Path { get; set; } = "";

    /// <summary>How far down a backing chain the image is: 0 for the one that was asked for.</summary>
    public int Depth { get; set; }

    /// <summary>Whether nothing was found but information: no corruption, no leak, no warning, and all could be checked.</summary>
    public bool IsHealthy { get; set; }

    /// <summary>Errors that endanger data.</summary>
    public long Corruptions { get; set; }

    /// <summary>Host clusters that count as used though nothing refers to them.</summary>
    public long Leaks { get; set; }

    /// <summary>What the leaked clusters take, in bytes.</summary>
    public long LeakedBytes { get; set; }

    /// <summary>Things that could not be checked. While there are any, the other numbers are not the whole truth.</summary>
    public long CheckErrors { get; set; }

    /// <summary>Corruptions that a repair put right.</summary>
    public long CorruptionsFixed { get; set; }

    /// <summary>Leaked clusters that a repair gave back.</summary>
    public long LeaksFixed { get; set; }

    /// <summary>Guest clusters of the active disk that lie in the file.</summary>
    public long AllocatedClusters { get; set; }

    /// <summary>Those of them that are compressed.</summary>
    public long CompressedClusters { get; set; }

    /// <summary>Those of them that do not follow the one before them; compressed ones all count.</summary>
    public long FragmentedClusters { get; set; }

    /// <summary>Guest clusters that the disk has.</summary>
    public long TotalClusters { get; set; }

    /// <summary>Where the last cluster in use ends in the file, in bytes.</summary>
    public long ImageEndOffset { get; set; }

    /// <summary>Whether the image is marked as not closed well.</summary>
    public bool IsDirty { get; set; }

    /// <summary>Whether the image is marked corrupt.</summary>
    public bool IsCorrupt { get; set; }

    /// <summary>How many things were found; <see cref="Findings"/> holds the first of them only.</summary>
    public long FindingCount { get; set; }

    /// <summary>What was found, in the order of the checks; at most as many as were asked for.</summary>
    public Qcow2CheckFinding[] Findings { get; set; } = [];

    /// <summary>Of a repair: what was there before; null for a check.</summary>
    public Qcow2CheckResult? Before { get; set; }

    /// <summary>The same verdict as another object, which shares its findings.</summary>
    public Qcow2CheckResult Copy() => (Qcow2CheckResult)MemberwiseClone();

    /// <summary>The path and the verdict.</summary>
    public override string ToString()
        => $"{Path}: {(IsHealthy ? "healthy" : $"{Corruptions} corruptions, {Leaks} leaked clusters, {CheckErrors} things that could not be checked")}";
}

namespace Qcow2.Engine;

/// <summary>
/// Whether two disks hold the same, and where not. The properties can be set, so that a script's tests can build one.
/// </summary>
public sealed class Qcow2CompareResult : Qcow2DiskObject
{
    /// <summary>Full path of the first disk's file.</summary>
    public override string Path { get; set; } = "";

    /// <summary>Full path of the file of the disk that it was compared with.</summary>
    public string DifferencePath { get; set; } = "";

    /// <summary>Id of the internal snapshot that it was compared with; null for the active disk.</summary>
    public string? DifferenceSnapshotId { get; set; }

    /// <summary>Name of that snapshot; null for the active disk.</summary>
    public string? DifferenceSnapshotName { get; set; }

    /// <summary>
    /// Whether the two hold the same bytes, the shorter one continued by zeros. After a strict comparison: and are of one size, with
    /// the same allocation.
    /// </summary>
    public bool AreEqual { get; set; }

    /// <summary>Offset of the first byte that differs; null if none does, or if the comparison ended before it came to one.</summary>
    public long? FirstDifference { get; set; }

    /// <summary>
    /// Bytes of the ranges in which the two differ, all of them: whole blocks of 4 KiB that hold a differing byte. Null if the comparison
    /// ended at the first difference.
    /// </summary>
    public long? DifferingBytes { get; set; }

    /// <summary>How many ranges differ; <see cref="Ranges"/> holds the first of them. Null if the comparison ended at the first difference.</summary>
    public long? RangeCount { get; set; }

    /// <summary>
    /// Where the two differ, in the order of the disk: whole blocks of 4 KiB, adjacent ones joined; at most as many ranges as were asked for.
    /// </summary>
    public DiskRange[] Ranges { get; set; } = [];

    /// <summary>Size of the first disk, in bytes.</summary>
    public long Size { get; set; }

    /// <summary>Size of the disk that it was compared with, in bytes.</summary>
    public long DifferenceSize { get; set; }

    /// <summary>Whether the two sizes differ.</summary>
    public bool IsSizeDifferent { get; set; }

    /// <summary>Whether the comparison was strict, so that size and allocation count.</summary>
    public bool IsStrict { get; set; }

    /// <summary>
    /// Of a strict comparison: offset of the first byte, inside both disks, whose allocation differs: data, compressed data, zeros with or
    /// without a place, nothing. Null if there is none, or the comparison was not strict or ended before it came to one.
    /// </summary>
    public long? FirstAllocationDifference { get; set; }

    /// <summary>The paths and the verdict.</summary>
    public override string ToString() => $"{Path}, {DifferencePath}: {(AreEqual ? "equal" : FirstDifference is long offset ? $"different at {offset}" : "different")}";
}

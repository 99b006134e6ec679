namespace Qcow2.Engine;

/// <summary>Something that is said of one disk of an image: of the active one, or of that of an internal snapshot.</summary>
public abstract class Qcow2DiskObject : Qcow2ImageObject
{
    /// <summary>Id of the internal snapshot whose disk it is about; null for the active disk.</summary>
    public string? SnapshotId { get; set; }

    /// <summary>Name of that snapshot; null for the active disk.</summary>
    public string? SnapshotName { get; set; }

    /// <inheritdoc/>
    public override SnapshotSelector? SelectSnapshot() => SnapshotSelector.From(SnapshotId, SnapshotName);
}

namespace Qcow2.Engine;

/// <summary>
/// Something that is said of an image, and knows which image that is. Commands take any of them where they take an
/// image, so that one command's output is the next one's input.
/// </summary>
public abstract class Qcow2ImageObject
{
    /// <summary>Full path of the image.</summary>
    public abstract string Path { get; set; }

    /// <summary>Which disk of the image the object tells of: the selector of an internal snapshot, or null for the active disk.</summary>
    public virtual SnapshotSelector? SelectSnapshot() => null;
}

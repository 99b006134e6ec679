using Qcow2.Engine.Conversion;

namespace Qcow2.Engine.Chains;

/// <summary>What becomes of an image after it was merged into one below it.</summary>
public enum MergedImage
{
    /// <summary>
    /// It is emptied where it was merged into its own backing file, and kept as it is where that lies farther down: what
    /// <c>qemu-img commit</c> does.
    /// </summary>
    Default,

    /// <summary>It stays as it is.</summary>
    Keep,

    /// <summary>
    /// It is deleted, and so are the images between it and the destination, which show something else now. Their external data
    /// files stay.
    /// </summary>
    Delete,
}

/// <summary>How to merge an image into one that it is layered on.</summary>
public sealed record ImageMergeOptions
{
    /// <summary>The defaults: into the backing file; the image is emptied.</summary>
    public static ImageMergeOptions Default { get; } = new();

    /// <summary>
    /// The image of the backing chain to merge into; a relative path is taken from the process's current directory. Null for
    /// the backing file.
    /// </summary>
    public string? DestinationPath { get; init; }

    /// <summary>What becomes of the image afterwards.</summary>
    public MergedImage Source { get; init; }

    /// <summary>How the images are opened: what may be followed, formats, the passphrase of all that are encrypted.</summary>
    public Qcow2OpenOptions Open { get; init; } = Qcow2OpenOptions.Default;

    /// <summary>
    /// Whether the destination gets what it can by sharing it with the images above, where the file system is able to (XFS, Btrfs, bcachefs, ReFS), in place
    /// of a copy. True by default.
    /// </summary>
    public bool ShareExtents { get; init; } = true;

    /// <summary>Told what was shared when everything is in the destination; null for nobody.</summary>
    public Action<ConversionResult>? OnShared { get; init; }

    /// <summary>Threads that read, decompress and write; the number of processors, but at most eight, by default.</summary>
    public int ThrottleLimit { get; init; } = Math.Min(Environment.ProcessorCount, 8);
}

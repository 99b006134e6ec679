using Qcow2.Engine.Conversion;

namespace Qcow2.Engine.Chains;

/// <summary>How to layer an image on another file.</summary>
public sealed record ImageRebaseOptions
{
    /// <summary>
    /// Name of the new backing file, as it will be stored: relative to the image's folder, or absolute. Null or empty for none.
    /// </summary>
    public string? BackingFile { get; init; }

    /// <summary>
    /// Format of the new backing file, <c>qcow2</c> or <c>raw</c> for two (<see cref="DiskFormats"/>). Needed with a backing file; only with
    /// <see cref="MetadataOnly"/> it may be null, to keep the format that the image records.
    /// </summary>
    public string? BackingFormat { get; init; }

    /// <summary>
    /// Only changes the names in the header, and opens no other file. What the image shows changes with it, unless the new
    /// backing file holds what the old one held: right for one that was moved or renamed.
    /// </summary>
    public bool MetadataOnly { get; init; }

    /// <summary>How the images are opened: what may be followed, formats, the passphrase of all that are encrypted.</summary>
    public Qcow2OpenOptions Open { get; init; } = Qcow2OpenOptions.Default;

    /// <summary>
    /// Whether the image gets what it can by sharing it with its old backing file, where the file system is able to (XFS, Btrfs, bcachefs, ReFS), in place of
    /// a copy. True by default.
    /// </summary>
    public bool ShareExtents { get; init; } = true;

    /// <summary>Told what was shared when everything is in the image; null for nobody.</summary>
    public Action<ConversionResult>? OnShared { get; init; }

    /// <summary>Threads that read, compare and write; the number of processors, but at most eight, by default.</summary>
    public int ThrottleLimit { get; init; } = Math.Min(Environment.ProcessorCount, 8);
}

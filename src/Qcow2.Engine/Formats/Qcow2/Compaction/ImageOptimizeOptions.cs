namespace Qcow2.Engine.Conversion;

/// <summary>How to compact an image.</summary>
public sealed record ImageOptimizeOptions
{
    /// <summary>The defaults.</summary>
    public static ImageOptimizeOptions Default { get; } = new();

    /// <summary>
    /// Whether all clusters are compressed where that makes them smaller. By default those are that were before.
    /// </summary>
    public bool Compress { get; init; }

    /// <summary>How hard the compressor tries; null for the format's usual level (<see cref="ConversionOptions.CompressionLevel"/>).</summary>
    public int? CompressionLevel { get; init; }

    /// <summary>
    /// Whether the new file shares what it can with the old one while both are there, where the file system is able to (XFS, Btrfs, bcachefs, ReFS): then
    /// little space is needed beside the image. All of it is read all the same, to find zeros. True by default.
    /// </summary>
    public bool ShareExtents { get; init; } = true;

    /// <summary>Whether the image is replaced even if the new file is no smaller.</summary>
    internal bool ReplacesAlways { get; init; }

    /// <summary>How the image is opened: what may be followed, formats, the passphrase if it is encrypted.</summary>
    public Qcow2OpenOptions Open { get; init; } = Qcow2OpenOptions.Default;

    /// <summary>Threads; the number of processors, but at most eight, by default.</summary>
    public int ThrottleLimit { get; init; } = ConversionOptions.Default.ThrottleLimit;
}

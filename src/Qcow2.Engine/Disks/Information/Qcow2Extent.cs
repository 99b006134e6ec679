namespace Qcow2.Engine;

/// <summary>
/// A stretch of a disk, with the disk it belongs to: <see cref="DiskExtent"/> as an object for scripts. The properties can
/// be set, so that a script's tests can build one.
/// </summary>
public sealed class Qcow2Extent : Qcow2DiskObject
{
    /// <summary>Full path of the image whose disk this is.</summary>
    public override string Path { get; set; } = "";

    /// <summary>Where the extent starts on the disk, in bytes.</summary>
    public long Offset { get; set; }

    /// <summary>Bytes.</summary>
    public long Length { get; set; }

    /// <summary>What it is.</summary>
    public ExtentKind Kind { get; set; }

    /// <summary>Whether it lies in compressed clusters.</summary>
    public bool IsCompressed { get; set; }

    /// <summary>Which file of the backing chain says so: 0 for the image itself, 1 for its backing file and so on.</summary>
    public int Depth { get; set; }

    /// <summary>The file that holds the data, or whose metadata says that there is none.</summary>
    public string FilePath { get; set; } = "";

    /// <summary>Where the data starts in that file, in bytes; null where it has no place or is compressed.</summary>
    public long? HostOffset { get; set; }

    /// <summary>Describes an extent of a disk.</summary>
    public static Qcow2Extent From(DiskExtent extent, string path) => new()
    {
        Path = path,
        Offset = extent.Offset,
        Length = extent.Length,
        Kind = extent.Kind,
        IsCompressed = extent.IsCompressed,
        Depth = extent.Depth,
        FilePath = extent.FilePath,
        HostOffset = extent.HostOffset,
    };
}

namespace Qcow2.Engine;

/// <summary>
/// How much space an image would take, in the numbers of <c>qemu-img measure</c>. The properties can be set, so that a script's
/// tests can build one.
/// </summary>
public sealed class Qcow2MeasureResult : Qcow2DiskObject
{
    /// <summary>Full path of the disk that was measured; empty where only a size was.</summary>
    public override string Path { get; set; } = "";

    /// <summary>Size of the virtual disk, in bytes.</summary>
    public long Size { get; set; }

    /// <summary>Format of the image that the numbers are about, by the name that <see cref="DiskFormats"/> knows: <c>qcow2</c>, for one.</summary>
    public string DestinationFormat { get; set; } = "";

    /// <summary>Bytes that the new image needs for what the disk holds now, uncompressed; without bitmaps.</summary>
    public long RequiredBytes { get; set; }

    /// <summary>Bytes that the image takes once every cluster of the disk was written; without bitmaps and snapshots.</summary>
    public long FullyAllocatedBytes { get; set; }

    /// <summary>Bytes that the source's persistent bitmaps add if they are copied; null where source or destination cannot have any.</summary>
    public long? BitmapsBytes { get; set; }
}

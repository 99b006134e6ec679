using Qcow2.Engine.Format;

namespace Qcow2.Engine;

/// <summary>A persistent bitmap of an image. The properties can be set, so that a script's tests can build one.</summary>
public sealed class Qcow2Bitmap : Qcow2ImageObject
{
    /// <summary>Full path of the image that holds the bitmap.</summary>
    public override string Path { get; set; } = "";

    /// <summary>The name, unique within the image.</summary>
    public string Name { get; set; } = "";

    /// <summary>Bytes of the disk that one bit stands for.</summary>
    public long Granularity { get; set; }

    /// <summary>Whether it records every write to the disk.</summary>
    public bool IsEnabled { get; set; }

    /// <summary>Whether it was not saved when the image was last closed, so that what it says may be outdated.</summary>
    public bool IsInUse { get; set; }

    /// <summary>The flags as stored.</summary>
    public BitmapFlags Flags { get; set; }

    /// <summary>The kind.</summary>
    public BitmapType Type { get; set; } = BitmapType.DirtyTracking;

    /// <summary>Entries of the bitmap's table; one for each cluster of bitmap data.</summary>
    public int TableSize { get; set; }

    /// <summary>What is wrong with its entry in the bitmap directory, so that the bitmap is of no use; null if nothing is.</summary>
    public string? Problem { get; set; }

    /// <summary>The name.</summary>
    public override string ToString() => Name;

    internal static Qcow2Bitmap From(BitmapDirectoryEntry entry, string path) => new()
    {
        Path = path,
        Name = entry.Name,
        Problem = entry.Problem,
        Granularity = entry.GranularityBits <= Qcow2Limits.MaxBitmapGranularityBits ? entry.Granularity : 0,
        IsEnabled = (entry.Flags & BitmapFlags.Auto) != 0,
        IsInUse = (entry.Flags & BitmapFlags.InUse) != 0,
        Flags = entry.Flags,
        Type = entry.Type,
        TableSize = entry.TableSize,
    };
}

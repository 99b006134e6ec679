namespace Qcow2.Engine;

/// <summary>
/// How a disk is allocated, drawn with signs: an <see cref="AllocationMap"/> as an object for scripts and views. Signs are plain text; colours are the view's affair. The properties can
/// be set, so that a script's tests can build one.
/// </summary>
public sealed class Qcow2ImagePicture : Qcow2DiskObject
{
    /// <summary>Full path of the image whose disk this is.</summary>
    public override string Path { get; set; } = "";

    /// <summary>Size of the disk, in bytes.</summary>
    public long Size { get; set; }

    /// <summary>How much of the disk a sign stands for, in bytes, rounded up.</summary>
    public long BytesPerSign { get; set; }

    /// <summary>Columns of the line that it was drawn for.</summary>
    public int Width { get; set; } = 80;

    /// <summary>The picture: parts of the disk, one after the other, or the whole disk once for each file of the backing chain.</summary>
    public Qcow2PictureRow[] Rows { get; set; } = [];

    /// <summary>What the signs mean, with how much of the disk is that.</summary>
    public Qcow2PictureLegend[] Legend { get; set; } = [];
}

/// <summary>A row of a <see cref="Qcow2ImagePicture"/>.</summary>
public sealed class Qcow2PictureRow
{
    /// <summary>Where the row starts on the disk, in bytes.</summary>
    public long Offset { get; set; }

    /// <summary>The file of the backing chain that the row is about, 0 for the image itself; null if it is about all of them.</summary>
    public int? Depth { get; set; }

    /// <summary>Full path of that file; null if the row is about all of them.</summary>
    public string? FilePath { get; set; }

    /// <summary>The signs.</summary>
    public string Signs { get; set; } = "";
}

/// <summary>What a sign of a <see cref="Qcow2ImagePicture"/> means.</summary>
public sealed class Qcow2PictureLegend
{
    /// <summary>The sign.</summary>
    public string Sign { get; set; } = "";

    /// <summary>The sign for a part of which less than half is stored; null where there is none.</summary>
    public string? PartialSign { get; set; }

    /// <summary>What it stands for.</summary>
    public ExtentKind Kind { get; set; }

    /// <summary>Whether it stands for compressed data.</summary>
    public bool IsCompressed { get; set; }

    /// <summary>The file of the backing chain that has it: 0 for the image itself. Null of what no file has.</summary>
    public int? Depth { get; set; }

    /// <summary>Full path of that file; null of what no file has.</summary>
    public string? FilePath { get; set; }

    /// <summary>How much of the disk it is, in bytes.</summary>
    public long Bytes { get; set; }
}

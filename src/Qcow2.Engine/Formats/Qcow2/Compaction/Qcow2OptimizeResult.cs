namespace Qcow2.Engine;

/// <summary>What compacting an image came to. The properties can be set, so that a script's tests can build one.</summary>
public sealed class Qcow2OptimizeResult : Qcow2ImageObject
{
    /// <summary>Full path of the image.</summary>
    public override string Path { get; set; } = "";

    /// <summary>
    /// Whether the image was replaced: where the new file takes less on its disk or is shorter, and is not materially larger (by more than a
    /// hundredth and a cluster) by the other of these two.
    /// </summary>
    public bool IsReplaced { get; set; }

    /// <summary>Length of the file before, in bytes.</summary>
    public long FileSizeBefore { get; set; }

    /// <summary>Length of the file now, in bytes.</summary>
    public long FileSize { get; set; }

    /// <summary>Bytes that the file took on its disk before.</summary>
    public long AllocatedSizeBefore { get; set; }

    /// <summary>Bytes that the file takes on its disk now.</summary>
    public long AllocatedSize { get; set; }

    /// <summary>Bytes of the host's disk that were gained; none, or a few less than none, where only the file's length was.</summary>
    public long SavedBytes { get; set; }

    /// <summary>Bytes of the disk that were taken over by the new file without a copy, because the file system lets files share them.</summary>
    public long SharedBytes { get; set; }

    /// <summary>Why the image was replaced or left as it was, for people.</summary>
    public string Reason { get; set; } = "";

    /// <summary>The path and what was gained.</summary>
    public override string ToString() => $"{Path}: {SavedBytes} bytes gained";
}

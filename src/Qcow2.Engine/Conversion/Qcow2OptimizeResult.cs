namespace Qcow2.Engine;

/// <summary>What compacting an image came to. The properties can be set, so that a script's tests can build one.</summary>
public sealed class Qcow2OptimizeResult : Qcow2ImageObject
{
    /// <summary>Full path of the image.</summary>
    public override string Path { get; set; } = "";

    /// <summary>Whether the image was replaced. It was not where the new file would have been no smaller.</summary>
    public bool IsReplaced { get; set; }

    /// <summary>Length of the file before, in bytes.</summary>
    public long FileSizeBefore { get; set; }

    /// <summary>Length of the file now, in bytes.</summary>
    public long FileSize { get; set; }

    /// <summary>Bytes that the file took on its disk before.</summary>
    public long AllocatedSizeBefore { get; set; }

    /// <summary>Bytes that the file takes on its disk now.</summary>
    public long AllocatedSize { get; set; }

    /// <summary>Bytes of the host's disk that were gained.</summary>
    public long SavedBytes { get; set; }

    /// <summary>The path and what was gained.</summary>
    public override string ToString() => $"{Path}: {SavedBytes} bytes gained";
}

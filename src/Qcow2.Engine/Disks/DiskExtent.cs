namespace Qcow2.Engine;

/// <summary>What a stretch of a disk is.</summary>
public enum ExtentKind
{
    /// <summary>Data stored in a file. It may happen to be zeros.</summary>
    Data,

    /// <summary>A file of the chain has this and says that it reads as zeros: an image by its tables, a raw file by a hole.</summary>
    Zero,

    /// <summary>No file of the chain has anything here, or the one below has ended; it reads as zeros.</summary>
    Unallocated,
}

/// <summary>A stretch of a disk that is all of one kind and lies in one file.</summary>
/// <param name="Offset">Where it starts on the disk, in bytes.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Depth">Which file of the backing chain says so: 0 for the image itself, 1 for its backing file and so on.</param>
/// <param name="FilePath">The file that holds the data, or whose metadata says that there is none.</param>
/// <param name="HostOffset">Where it starts in that file, in bytes; null where it has no place or is compressed.</param>
/// <param name="IsCompressed">Whether it lies in compressed clusters.</param>
public readonly record struct DiskExtent(
    long Offset, long Length, ExtentKind Kind, int Depth, string FilePath, long? HostOffset, bool IsCompressed)
{
    /// <summary>First byte after the extent.</summary>
    public long End => Offset + Length;

    internal bool IsContinuedBy(DiskExtent next)
        => next.Offset == End
            && next.Kind == Kind
            && next.Depth == Depth
            && next.IsCompressed == IsCompressed
            && (HostOffset is long host ? next.HostOffset == host + Length : next.HostOffset is null)
            && string.Equals(next.FilePath, FilePath, StringComparison.Ordinal);
}

using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks;

/// <summary>What the bytes of one disk, without its backing file, are made from. Two disks of one origin, beyond doubt, hold the same.</summary>
/// <param name="image">The image file.</param>
/// <param name="data">The file that standard clusters lie in.</param>
/// <param name="table">Where the L1 table lies, which tells an image's disk from its snapshots; <see cref="NoTable"/> for a raw disk.</param>
/// <param name="encryption">How the data is encrypted.</param>
/// <param name="isFixed">
/// Whether the tables are those of the file: of an image that is open for writing they are not, so that it is like itself only.
/// </param>
internal sealed class DiskOrigin(FileIdentity image, FileIdentity data, long table, DiskEncryption encryption, bool isFixed)
{
    /// <summary>The table of a disk that has none.</summary>
    internal const long NoTable = -1;

    /// <summary>How the data is encrypted.</summary>
    internal DiskEncryption Encryption { get; } = encryption;

    private FileIdentity Image { get; } = image;

    private FileIdentity Data { get; } = data;

    private long Table { get; } = table;

    private bool IsFixed { get; } = isFixed;

    /// <summary>Whether both are made from the same tables of the same files.</summary>
    internal bool IsProvenSameAs(DiskOrigin other)
        => Table == other.Table && Encryption == other.Encryption && IsFixed == other.IsFixed && HasImageOf(other) && HasDataOf(other);

    /// <summary>Whether both keep standard clusters in the same file.</summary>
    internal bool HasDataOf(DiskOrigin other) => Data.IsProvenSameAs(other.Data);

    /// <summary>Whether both have the same image file, and with it the same key.</summary>
    internal bool HasImageOf(DiskOrigin other) => Image.IsProvenSameAs(other.Image);
}

using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>What the bytes of one disk, without its backing file, are made from. Two disks of one origin hold the same.</summary>
/// <param name="Image">The image file.</param>
/// <param name="Data">The file that standard clusters lie in.</param>
/// <param name="Table">Where the L1 table lies, which tells an image's disk from its snapshots; <see cref="NoTable"/> for a raw disk.</param>
/// <param name="Encryption">How the data is encrypted.</param>
/// <param name="IsFixed">
/// Whether the tables are those of the file: of an image that is open for writing they are not, so that it is like itself only.
/// </param>
internal readonly record struct DiskOrigin(FileIdentity Image, FileIdentity Data, long Table, EncryptionMethod Encryption, bool IsFixed)
{
    /// <summary>The table of a disk that has none.</summary>
    internal const long NoTable = -1;
}

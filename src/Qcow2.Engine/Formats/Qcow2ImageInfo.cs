using Qcow2.Engine.Format;
using Qcow2.Engine.Formats;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>
/// What can be said of an image without reading its data: what <c>qemu-img info</c> says, and the whole header. The
/// properties can be set, so that a script's tests can build one.
/// </summary>
public sealed class Qcow2ImageInfo : Qcow2ImageObject
{
    /// <summary>Full path of the file.</summary>
    public override string Path { get; set; } = "";

    /// <summary>The name of a format (<see cref="DiskFormats"/>): <c>qcow2</c>, <c>raw</c>, <c>vhd</c>, <c>vhdx</c>, <c>vmdk</c>, <c>vdi</c>, <c>qcow</c>, <c>qed</c>, <c>parallels</c>.</summary>
    public string Format { get; set; } = "qcow2";

    /// <summary>What the image is packed in: <c>gzip</c>, <c>xz</c>, <c>zstd</c>, <c>bzip2</c> or <c>ova</c>; null if it is a file of its own. <see cref="FileSize"/> is that of the compressed file then, and of an OVA that of the disk in it.</summary>
    public string? PackedIn { get; set; }

    /// <summary>What the image is called in the file that it is packed in (<see cref="PackedDisk.Name"/>); null if it is a file of its own.</summary>
    public string? DiskName { get; set; }

    /// <summary>How the format keeps the disk, where it has several ways: <c>Fixed</c>, <c>Dynamic</c>, <c>Differencing</c>; of a VMDK file in VMware's words: <c>streamOptimized</c>; null where it has one.</summary>
    public string? Subformat { get; set; }

    /// <summary>How far down a backing chain the file is: 0 for the image that was asked for.</summary>
    public int Depth { get; set; }

    /// <summary>Format version: 2 (<c>compat=0.10</c>) or 3 (<c>compat=1.1</c>); null for other formats than QCOW2.</summary>
    public int? Version { get; set; }

    /// <summary>Size of the virtual disk, in bytes.</summary>
    public long Size { get; set; }

    /// <summary>Length of the file, in bytes.</summary>
    public long FileSize { get; set; }

    /// <summary>Bytes that the file takes on its disk.</summary>
    public long AllocatedSize { get; set; }

    /// <summary>Bytes in a cluster or block; null where there are none, as in a raw disk.</summary>
    public int? ClusterSize { get; set; }

    /// <summary>Name of the backing file, as stored; null for none.</summary>
    public string? BackingFile { get; set; }

    /// <summary>Full path that the backing file's name leads to; null for none, and for a name that is not a local path.</summary>
    public string? ParentPath { get; set; }

    /// <summary>Format of the backing file, as stored; null where the image does not record it.</summary>
    public string? BackingFormat { get; set; }

    /// <summary>
    /// Why the backing file cannot be used: that it is missing, say. Null where it can, where there is none, and where nobody
    /// looked, which only <see cref="ReadChain"/> does.
    /// </summary>
    public string? BackingFileProblem { get; set; }

    /// <summary>What tells the disk from every other, by the format's own id; null where it has none.</summary>
    public string? DiskIdentifier { get; set; }

    /// <summary>The <see cref="DiskIdentifier"/> that the file below must have; null where the image records none.</summary>
    public string? ParentIdentifier { get; set; }

    /// <summary>Name of the external data file, as stored; null for none.</summary>
    public string? DataFile { get; set; }

    /// <summary>Whether the external data file alone is a raw image of the disk.</summary>
    public bool IsDataFileRaw { get; set; }

    /// <summary>Bytes of a sector as the guest addresses it: 512 or 4096; null where the format does not say.</summary>
    public int? LogicalSectorSize { get; set; }

    /// <summary>Bytes of a sector as the guest should write it; null where the format does not say.</summary>
    public int? PhysicalSectorSize { get; set; }

    /// <summary>What only a VHDX file says; null for other formats.</summary>
    public VhdxInfo? Vhdx { get; set; }

    /// <summary>What only a VMDK descriptor says; null for other formats.</summary>
    public VmdkInfo? Vmdk { get; set; }

    /// <summary>What only a VHD says; null for other formats.</summary>
    public VhdInfo? Vhd { get; set; }

    /// <summary>How compressed clusters are compressed; null for raw.</summary>
    public CompressionType? CompressionType { get; set; }

    /// <summary>How the data is encrypted.</summary>
    public EncryptionMethod EncryptionMethod { get; set; }

    /// <summary>What the LUKS header says; null where there is none.</summary>
    public LuksInfo? Luks { get; set; }

    /// <summary>Width of a refcount: 1 to 64 bits; null for raw.</summary>
    public int? RefcountBits { get; set; }

    /// <summary>Whether refcount updates may be postponed.</summary>
    public bool HasLazyRefcounts { get; set; }

    /// <summary>Whether the image was not closed. Of QCOW2 refcounts may be wrong, and data is not affected; of QED and Parallels what was written last may be missing.</summary>
    public bool IsDirty { get; set; }

    /// <summary>Whether the image was marked corrupt. It can be read, but must be repaired before it is written.</summary>
    public bool IsCorrupt { get; set; }

    /// <summary>Whether clusters are divided into subclusters.</summary>
    public bool IsExtendedL2 { get; set; }

    /// <summary>Whether another program has the image open in a way that excludes writing to it.</summary>
    public bool IsLocked { get; set; }

    /// <summary>How other programs hold the image. Known on Linux, of programs that use QEMU's locks.</summary>
    public ImageLockState LockState { get; set; }

    /// <summary>
    /// What is damaged without the disk being affected: the table of snapshots, a snapshot, the list of bitmaps, a header extension. A
    /// sentence each; empty where nothing was found. <c>Test-Qcow2Image</c> looks at everything, this at what is shown here.
    /// </summary>
    public string[] Problems { get; set; } = [];

    /// <summary>The internal snapshots, oldest first; those that can be found where their table is damaged.</summary>
    public Qcow2Snapshot[] Snapshots { get; set; } = [];

    /// <summary>The persistent bitmaps.</summary>
    public Qcow2Bitmap[] Bitmaps { get; set; } = [];

    /// <summary>Every field of the header, and every header extension; null for raw.</summary>
    public Qcow2Header? Header { get; set; }

    /// <summary>Reads the information. Opens no other file, and works on an image that is in use.</summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory.</param>
    /// <exception cref="Qcow2Exception">The file is no QCOW2 image, or its header is damaged.</exception>
    /// <exception cref="IOException">The host could not open or read the file.</exception>
    public static Qcow2ImageInfo Read(string path) => DiskFormats.Get("qcow2").ReadInformation(path);

    /// <summary>Reads the information of an image and of each file of its backing chain, from the top down.</summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory.</param>
    /// <param name="options">How to follow the chain; null for <see cref="Qcow2OpenOptions.Default"/>.</param>
    /// <exception cref="Qcow2Exception">
    /// As <see cref="Read"/>, or a backing file is missing or refused; what lies above it was returned, the last of it with a
    /// <see cref="BackingFileProblem"/>.
    /// </exception>
    public static IEnumerable<Qcow2ImageInfo> ReadChain(string path, Qcow2OpenOptions? options = null)
        => ImageInfoReader.ReadChain(path, DiskFormats.Get("qcow2"), options ?? Qcow2OpenOptions.Default);

    /// <summary>Describes a raw image: its size and how much of it its disk holds. Whatever the file holds is taken for a raw disk.</summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory.</param>
    /// <exception cref="IOException">The host could not open the file.</exception>
    public static Qcow2ImageInfo ReadRaw(string path) => DiskFormats.Raw.ReadInformation(path);

    /// <summary>The path.</summary>
    public override string ToString() => Path;
}

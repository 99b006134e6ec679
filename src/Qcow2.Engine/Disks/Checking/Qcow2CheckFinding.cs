namespace Qcow2.Engine;

/// <summary>How bad something is that a check found.</summary>
public enum Qcow2CheckSeverity
{
    /// <summary>Worth knowing, and no damage.</summary>
    Information,

    /// <summary>Not sound or not trusted, though <c>qemu-img check</c> does not count it.</summary>
    Warning,

    /// <summary>Space of the file that is lost: nothing refers to it, but it counts as used. No data is in danger.</summary>
    Leak,

    /// <summary>Data is damaged, or the next write can damage it.</summary>
    Corruption,

    /// <summary>Something could not be checked, so that the rest of the verdict is not the whole of it.</summary>
    Error,
}

/// <summary>What a check found. The names are stable: scripts match on them.</summary>
public enum Qcow2CheckFindingKind
{
    /// <summary>A field of the header breaks the specification or a limit; nothing else could be checked.</summary>
    HeaderDamaged,

    /// <summary>The image uses a version or feature that this engine does not know; nothing else could be checked.</summary>
    FeatureUnknown,

    /// <summary>The image was not closed well.</summary>
    MarkedDirty,

    /// <summary>The image was marked corrupt by whoever found it so.</summary>
    MarkedCorrupt,

    /// <summary>The file has more clusters than can be checked.</summary>
    FileTooLarge,

    /// <summary>The header's fields for the refcount table are useless.</summary>
    RefcountTableDamaged,

    /// <summary>A refcount block does not lie where one can lie, or where another structure lies, too.</summary>
    RefcountBlockDamaged,

    /// <summary>The refcount of a cluster cannot be read.</summary>
    RefcountUnreadable,

    /// <summary>A cluster has more references than its refcount says: it could be given to somebody else.</summary>
    RefcountTooLow,

    /// <summary>A cluster has fewer references than its refcount says.</summary>
    ClusterLeaked,

    /// <summary>A cluster has more references than a refcount of this width can say.</summary>
    RefcountOverflow,

    /// <summary>A cluster of metadata is used by another structure or as data, too.</summary>
    MetadataOverlap,

    /// <summary>A structure or cluster lies past the end of the file.</summary>
    PastEndOfFile,

    /// <summary>A table or data cluster does not start where a cluster starts.</summary>
    Misaligned,

    /// <summary>Bits are set that the specification wants to be zero.</summary>
    ReservedBits,

    /// <summary>The flag that says "the refcount is exactly one" is wrong.</summary>
    CopiedFlagWrong,

    /// <summary>A subcluster bitmap contradicts itself or its entry.</summary>
    SubclustersInvalid,

    /// <summary>A cluster is compressed where none can be: the data lies in an external file.</summary>
    CompressedWithDataFile,

    /// <summary>The data of a cluster cannot be read or decompressed.</summary>
    DataUnreadable,

    /// <summary>The snapshot table cannot be read.</summary>
    SnapshotTableDamaged,

    /// <summary>An entry of the snapshot table is damaged.</summary>
    SnapshotDamaged,

    /// <summary>The image has internal snapshots and an external data file, which exclude each other.</summary>
    SnapshotsWithDataFile,

    /// <summary>The bitmap directory cannot be read.</summary>
    BitmapDirectoryDamaged,

    /// <summary>A bitmap's table is damaged.</summary>
    BitmapDamaged,

    /// <summary>A bitmap was not saved when the image was last closed, so that what it says is outdated. The disk is not affected.</summary>
    BitmapInconsistent,

    /// <summary>The LUKS header is damaged.</summary>
    EncryptionHeaderDamaged,

    /// <summary>
    /// The image names another file as its backing file or data file, without which it cannot be read. Of an image that is not
    /// trusted this is a warning.
    /// </summary>
    ReferenceToOtherFile,

    /// <summary>The image is encrypted, and cannot be read without a passphrase.</summary>
    PassphraseNeeded,

    /// <summary>The image keeps its data in an external file and does not say which.</summary>
    DataFileUnnamed,

    /// <summary>A header extension is damaged, or contradicts the header.</summary>
    ExtensionDamaged,

    /// <summary>A header extension is there more than once.</summary>
    ExtensionRepeated,

    /// <summary>
    /// The file ends inside the last thing that lies in it, as one does whose download or copy was cut short. Of a qcow2 image readers take what
    /// lacks for zeros, and if the image is not trusted this is a warning; of images in other formats it is a corruption.
    /// </summary>
    FileCutOff,

    /// <summary>The tables make up most of the file. Looked for only in images that are not trusted.</summary>
    TablesOversized,

    /// <summary>One of two copies of a footer, header or table is missing, damaged or not like the other, which counts.</summary>
    CopyDamaged,

    /// <summary>A footer, header or table has a check sum that its bytes do not have.</summary>
    ChecksumWrong,

    /// <summary>A table has more entries than the disk needs, which is information, or fewer.</summary>
    TableSizeWrong,

    /// <summary>An entry of a table has a value or a state that means nothing.</summary>
    EntryInvalid,

    /// <summary>Two blocks of the disk lie in one place, so that one shows data of the other.</summary>
    BlockOverlap,

    /// <summary>Space of the file, as much as a block or more, that nothing refers to.</summary>
    SpaceUnused,

    /// <summary>
    /// There are data in sectors that the bitmap of their block says were never written: they read as zeros here, and as the data in programs that do
    /// not look at the bitmap.
    /// </summary>
    SectorsHidden,

    /// <summary>The bitmap of a block's sectors is missing, or not where it can be.</summary>
    SectorBitmapMissing,

    /// <summary>The place that says where the parent lies cannot be read.</summary>
    ParentLocatorDamaged,

    /// <summary>The parent of a differencing disk was not found, or was not to be opened, so that nobody can say whether it is the right one.</summary>
    ParentUnavailable,

    /// <summary>The parent of a differencing disk is another disk, or was changed since the child was made from it.</summary>
    ParentMismatch,

    /// <summary>The disk of a fixed image, which its guest writes, begins as an image of some format does. Of an image that is not trusted this is a warning.</summary>
    FormatPlanted,

    /// <summary>The log of an image that was not closed cannot be replayed; or, as information, its last entry was not written whole, as a crash leaves it.</summary>
    LogDamaged,

    /// <summary>A structure without which the image cannot be read is not marked so: programs that do not know it may open the image.</summary>
    NotMarkedRequired,

    /// <summary>A count that the header keeps is wrong.</summary>
    CountWrong,

    /// <summary>The text that describes the image is missing or cannot be understood.</summary>
    DescriptorDamaged,

    /// <summary>A file that holds a part of the disk is missing, too short, of another kind, or was not to be opened.</summary>
    ExtentUnavailable,

    /// <summary>What stands between the parts of a stream is missing or wrong.</summary>
    MarkerDamaged,

    /// <summary>The disk has the sum that the manifest of the OVA that it lies in says.</summary>
    ManifestMatches,

    /// <summary>The disk does not have the sum that the manifest of the OVA that it lies in says, or the manifest is damaged.</summary>
    ManifestMismatch,

    /// <summary>The manifest of the OVA has a sum for the disk that was not compared: it is of a kind that is not known, or the OVA lies on a server and is not read as a whole.</summary>
    ManifestNotCompared,
}

/// <summary>One thing that a check found. The properties can be set, so that a script's tests can build one.</summary>
public sealed class Qcow2CheckFinding
{
    /// <summary>What it is.</summary>
    public Qcow2CheckFindingKind Kind { get; set; }

    /// <summary>How bad it is.</summary>
    public Qcow2CheckSeverity Severity { get; set; }

    /// <summary>Where in the file what is wrong lies, in bytes: the field or entry, or the cluster itself where its refcount is wrong.</summary>
    public long Offset { get; set; }

    /// <summary>The host cluster that it is about, counted from 0; null where it is about none.</summary>
    public long? Cluster { get; set; }

    /// <summary>The table or structure that it was found in.</summary>
    public string Table { get; set; } = "";

    /// <summary>What should be there; null where that cannot be put as a number.</summary>
    public ulong? Expected { get; set; }

    /// <summary>What is there; null where that cannot be put as a number.</summary>
    public ulong? Found { get; set; }

    /// <summary>A sentence for people.</summary>
    public string Message { get; set; } = "";

    /// <summary>The message.</summary>
    public override string ToString() => Message;
}

namespace Qcow2.Engine;

/// <summary>Why an operation on a disk image failed. The names are stable: scripts match on them.</summary>
public enum Qcow2ErrorCode
{
    /// <summary>The file does not begin with the QCOW magic number.</summary>
    NotQcow2,

    /// <summary>A structure of the image contradicts the format or the file it lies in.</summary>
    ImageCorrupt,

    /// <summary>The image uses a feature, version or codec that this engine does not know.</summary>
    UnsupportedFeature,

    /// <summary>A number in the image passes a limit that QEMU and this engine share.</summary>
    LimitExceeded,

    /// <summary>A compressed file or an archive is cut off or damaged, or something follows it.</summary>
    PackedFileCorrupt,

    /// <summary>A compressed file holds more than the caller allows, as one does that was made to fill disks.</summary>
    UnpackedTooLarge,

    /// <summary>The archive holds several disks, and the caller did not say which, or none of the name that was given.</summary>
    DiskNotSpecified,

    /// <summary>Another program holds the image in a way that excludes this use.</summary>
    ImageLocked,

    /// <summary>The file's content is not on this machine, and reading it would fetch all of it from somewhere.</summary>
    FileOffline,

    /// <summary>A backing file named by the image does not exist or cannot be opened.</summary>
    BackingFileUnavailable,

    /// <summary>The image names a backing file but not its format, and probing is refused.</summary>
    BackingFormatMissing,

    /// <summary>The file is not in the format that it was opened as, or is in it only by what a guest can have written.</summary>
    FormatMismatch,

    /// <summary>The file is not the one that the image was made over: it has another identity.</summary>
    BackingFileMismatch,

    /// <summary>The image is a differencing disk that does not say which file its parent is, and the caller named none that is it.</summary>
    ParentNotNamed,

    /// <summary>The backing chain leads back to a file that is already part of it.</summary>
    BackingChainLoop,

    /// <summary>The backing chain is longer than the caller allows.</summary>
    BackingChainTooDeep,

    /// <summary>
    /// The image refers to something that is never opened (another protocol than local files), or that the caller's
    /// <see cref="ReferencePolicy"/> refuses.
    /// </summary>
    ReferenceForbidden,

    /// <summary>The external data file is missing, unnamed or cannot be opened.</summary>
    DataFileUnavailable,

    /// <summary>The image is encrypted and no passphrase was given.</summary>
    PassphraseRequired,

    /// <summary>No key slot opens with the passphrase that was given.</summary>
    PassphraseIncorrect,

    /// <summary>The key slot has a passphrase already, and replacing it was not allowed.</summary>
    KeySlotInUse,

    /// <summary>The key slot that was asked for has no passphrase.</summary>
    KeySlotNotInUse,

    /// <summary>All key slots have a passphrase, so that there is no place for another one.</summary>
    KeySlotsFull,

    /// <summary>No key slot with a passphrase would be left, and with it nothing that opens the disk, ever.</summary>
    LastKeySlot,

    /// <summary>No internal snapshot has the id or name that was asked for.</summary>
    SnapshotNotFound,

    /// <summary>
    /// The internal snapshot, or the table of snapshots, is damaged. The disk itself can be read, and damaged snapshots can be
    /// removed.
    /// </summary>
    SnapshotDamaged,

    /// <summary>More than one internal snapshot has the id or name that was asked for.</summary>
    SnapshotAmbiguous,

    /// <summary>The internal snapshot with the id that was asked for has another name or time: it is another one by now.</summary>
    SnapshotChanged,

    /// <summary>Another internal snapshot has the name that was to be given.</summary>
    SnapshotExists,

    /// <summary>No bitmap has the name that was asked for.</summary>
    BitmapNotFound,

    /// <summary>A bitmap with the name of the new one exists.</summary>
    BitmapExists,

    /// <summary>The bitmap was not saved when the image was last closed; it can only be removed.</summary>
    BitmapInconsistent,

    /// <summary>The file that was to be written exists, and replacing it was not allowed.</summary>
    DestinationExists,

    /// <summary>The file that was to be written is one that the source is read from.</summary>
    DestinationIsSource,

    /// <summary>A folder is where a file was to be written.</summary>
    DestinationIsFolder,

    /// <summary>A block device is where a file was to be written. Devices are written into, and never replaced.</summary>
    DestinationIsDevice,

    /// <summary>Something that is neither a file nor a disk is where a file was to be written: a pipe, a socket, a character device.</summary>
    DestinationNotFile,

    /// <summary>
    /// The file that was to be replaced is protected (immutable, append-only, read-only), or the new file could not be given what the old one
    /// has: owner, group, access list, labels.
    /// </summary>
    DestinationProtected,

    /// <summary>The image has no backing file, which what was asked for needs.</summary>
    NoBackingFile,

    /// <summary>The file is not one that the image is layered on.</summary>
    NotInBackingChain,

    /// <summary>A snapshot of the image would show something else than before.</summary>
    SnapshotWouldChange,

    /// <summary>A server could not be reached, does not give the file, or gives something else than was asked for.</summary>
    HttpRequestFailed,

    /// <summary>A server gives a file as a whole only, or parts of it that nobody can tell to be of one file.</summary>
    RangesNotSupported,

    /// <summary>A file on a server changed while it was read.</summary>
    SourceChanged,

    /// <summary>A file does not have the hash that it must have.</summary>
    HashMismatch,

    /// <summary>A disk in an archive does not have the sum that the archive's manifest says, or the manifest says nothing that could be compared.</summary>
    ManifestMismatch,
}

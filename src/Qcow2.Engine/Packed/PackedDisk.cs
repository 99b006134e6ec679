using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Packed;
using Qcow2.Engine.Packed.Archive;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>A disk in a <see cref="PackedFile"/>.</summary>
public sealed class PackedDisk
{
    private readonly PackedKind? _kind;
    private readonly TarEntry? _entry;
    private readonly IReadOnlyList<TarEntry> _manifests;

    internal PackedDisk(string packedIn, string name, PackedKind? kind, TarEntry? entry, IReadOnlyList<TarEntry>? manifests = null)
    {
        PackedIn = packedIn;
        Name = name;
        _kind = kind;
        _entry = entry;
        _manifests = manifests ?? [];
    }

    /// <summary>Most bytes that a compressed file may hold, unless somebody says otherwise: 2 TiB.</summary>
    public static long DefaultMaximumSize => UnpackLimits.DefaultMaximumSize;

    /// <summary>The kind of file that it is packed in.</summary>
    public string PackedIn { get; }

    /// <summary>What it is called there. The text is somebody else's, and may be anything.</summary>
    public string Name { get; }

    /// <summary>Whether it is compressed, so that it is there from the start to the end only, or in a temporary file.</summary>
    public bool IsCompressed => _kind is not null;

    /// <summary>How the name ends, with the dot.</summary>
    public string Extension => System.IO.Path.GetExtension(Name.Replace('\\', '/').Split('/').Last());

    /// <summary>Decides what the disk may be taken for, by its first bytes and its name (<see cref="DiskFormats.Recognize(string)"/>), also by its last ones if it is not compressed.</summary>
    /// <param name="storage">The packed file, which stays the caller's.</param>
    /// <exception cref="Qcow2Exception">The file is damaged, or the disk cannot be read where it lies.</exception>
    public FormatRecognition Recognize(BlockStorage storage)
    {
        using BlockStorage look = _kind is null ? OpenInArchive(storage) : new StartStorage(storage, _kind, null, isPadded: true);
        return DiskFormats.Recognize(look, Extension);
    }

    /// <summary>Bytes that a compressed disk has, if the file says so.</summary>
    /// <param name="storage">The packed file, which stays the caller's.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>Null if only unpacking it tells.</returns>
    /// <exception cref="Qcow2Exception">The file is cut off or damaged.</exception>
    public long? TryReadLength(BlockStorage storage, CancellationToken cancellationToken = default) => _kind is null ? _entry!.Length : _kind.LengthOf(storage, cancellationToken);

    /// <summary>Bytes that a compressed disk has: what the file says, or else what comes out of it, which takes its time and compares all check sums.</summary>
    /// <param name="storage">The packed file, which stays the caller's.</param>
    /// <param name="maximumSize">What it may hold.</param>
    /// <param name="progress">Told how much of the file was read; null for nobody.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="Qcow2Exception">The file is damaged, or holds more.</exception>
    public long ReadLength(BlockStorage storage, long maximumSize, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        long length = TryReadLength(storage, cancellationToken) ?? UnpackedFile.Count(storage, _kind!, maximumSize, progress, cancellationToken);
        UnpackLimits.Ensure(storage.Path, length, maximumSize);
        return length;
    }

    /// <summary>
    /// Bytes that a compressed disk seems to have, where the file says something of that which may mean something else: the length in gzip is that of the last member, in 32 bits. Who opens it
    /// in order with that has an error at its end where it is not so, and learns by <see cref="HadOtherLength"/> that it was for this alone.
    /// </summary>
    /// <param name="storage">The packed file, which stays the caller's.</param>
    /// <param name="maximumSize">What it may hold.</param>
    /// <returns>Null if there is nothing to go by, or it cannot be so.</returns>
    public long? GuessLength(BlockStorage storage, long maximumSize) => _kind?.GuessLengthOf(storage) is long length && length <= maximumSize ? length : null;

    /// <summary>Whether a disk that was opened in order turned out to be longer or shorter than was said, which was an error for whoever read it.</summary>
    /// <param name="ordered">What <see cref="OpenInOrder"/> opened; it may be closed.</param>
    public static bool HadOtherLength(BlockStorage ordered) => ordered is OrderedStorage { HadOtherLength: true };

    /// <summary>Opens a compressed disk for a reader that goes through it once, in order: nothing is written, and memory is bounded. Where the last byte was read, all check sums were right.</summary>
    /// <param name="storage">The packed file, which belongs to the result.</param>
    /// <param name="length">Bytes that it holds (<see cref="ReadLength"/>).</param>
    /// <param name="window">How far apart the places may be, in bytes, that are read at the same time. Who goes back farther has the file unpacked again, and after the end gets an error.</param>
    public BlockStorage OpenInOrder(BlockStorage storage, long length, long window) => new OrderedStorage(storage, Compression, length, window);

    /// <summary>Opens the first MiB of a compressed disk, for a look at its header. What lies farther is an error, and <see cref="WasTooShort"/> says that it was asked for.</summary>
    /// <param name="storage">The packed file, which stays the caller's.</param>
    /// <param name="length">Bytes that it holds; null if that is not known.</param>
    public BlockStorage OpenStart(BlockStorage storage, long? length) => new StartStorage(storage, Compression, length);

    /// <summary>Whether more must be unpacked than the start for what was asked of it, whatever became of the error.</summary>
    /// <param name="start">What <see cref="OpenStart"/> opened.</param>
    public static bool WasTooShort(BlockStorage start) => start is StartStorage { WasTooShort: true };

    /// <summary>Unpacks a compressed disk into a file that nobody else can open, and that is gone when it is closed, or when the process ends. Zeros take no space in it.</summary>
    /// <param name="storage">The packed file, which belongs to the result.</param>
    /// <param name="folder">Where the file goes.</param>
    /// <param name="maximumSize">What it may become.</param>
    /// <param name="progress">Told how much of the file was read; null for nobody.</param>
    /// <param name="cancellationToken">Stops it, and leaves nothing.</param>
    /// <exception cref="Qcow2Exception">The file is damaged, or holds more.</exception>
    /// <exception cref="IOException">There is not enough space there.</exception>
    public BlockStorage Unpack(BlockStorage storage, string folder, long maximumSize, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        try
        {
            return UnpackedFile.Create(storage, Compression, folder, maximumSize, progress, cancellationToken);
        }
        catch
        {
            storage.Dispose();
            throw;
        }
    }

    /// <summary>Lends what was unpacked to somebody who closes what they were given.</summary>
    /// <param name="unpacked">What <see cref="Unpack"/> made.</param>
    public static BlockStorage Lend(BlockStorage unpacked) => new BorrowedStorage(unpacked);

    /// <summary>Opens a disk in an archive where it lies.</summary>
    /// <param name="storage">The archive.</param>
    /// <param name="owned">Whether that is closed with the disk.</param>
    /// <exception cref="Qcow2Exception">The disk cannot be read where it lies.</exception>
    public BlockStorage OpenInArchive(BlockStorage storage, bool owned = false) => _entry is null ? throw new InvalidOperationException("The disk is not in an archive.")
        : _entry.Problem is string problem ? throw Qcow2Errors.Unsupported($"The disk '{Errors.PrintableText.Of(Name)}' cannot be read: {problem}").At(storage.Path)
        : new SliceStorage(storage, _entry.Offset, _entry.Length, storage.Path, owned);

    /// <summary>Says what the archive's manifest has for the disk. That is a text of the archive's own, of bounded size; the disk is not read for it.</summary>
    /// <param name="storage">The archive, which stays the caller's.</param>
    /// <exception cref="IOException">The archive could not be read.</exception>
    public DiskManifest ReadManifest(BlockStorage storage) => OvaManifest.Read(storage, _manifests, Name);

    /// <summary>
    /// Brings a disk of an archive that takes long to read, as one on a server does, into a file that nobody else can open and that is gone when it is closed, and compares it with the
    /// manifest on the way.
    /// </summary>
    /// <param name="storage">The archive, which belongs to the result.</param>
    /// <param name="folder">Where the file goes.</param>
    /// <param name="manifest">What <see cref="ReadManifest"/> said, with a sum; becomes how the disk stands to it.</param>
    /// <param name="progress">Told how much was read; null for nobody.</param>
    /// <param name="cancellationToken">Stops it, and leaves nothing.</param>
    /// <exception cref="Qcow2Exception">The disk cannot be read where it lies.</exception>
    /// <exception cref="IOException">There is not enough space there, or the archive could not be read.</exception>
    public BlockStorage Fetch(BlockStorage storage, string folder, ref DiskManifest manifest, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        try
        {
            if (!manifest.HasSum)
            {
                throw new ArgumentException("The manifest has no sum for the disk, which is read where it lies.", nameof(manifest));
            }

            BlockStorage disk = OpenInArchive(storage);
            FreeSpace.Require(storage.Path, folder, disk.Length);
            DiskManifest compared = manifest;
            var copy = TemporaryCopy.Make(storage, folder, file => compared = compared.CompareAndCopy(disk, file, progress, cancellationToken));
            manifest = compared;
            return copy;
        }
        catch
        {
            storage.Dispose();
            throw;
        }
    }

    private PackedKind Compression => _kind ?? throw new InvalidOperationException("The disk is not compressed.");
}

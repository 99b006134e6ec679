using Qcow2.Engine.Codecs;
using Qcow2.Engine.Format;
using Qcow2.Engine.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>An open QCOW2 image: its active disk, and a way to its snapshots and metadata.</summary>
/// <example>
/// <code>
/// using var image = Qcow2Image.Open("disk.qcow2");
/// var sector = new byte[512];
/// image.Read(0, sector);
/// </code>
/// </example>
public sealed class Qcow2Image : VirtualDisk
{
    private readonly ImageResources _resources;
    private readonly MappedDisk _active;
    private IReadOnlyList<BitmapDirectoryEntry>? _bitmaps;

    private Qcow2Image(ImageResources resources, IReadOnlyList<SnapshotTableEntry> snapshots)
    {
        _resources = resources;
        Snapshots = snapshots;
        Qcow2Header header = resources.Header;
        L1Table l1 = L1Table.Load(resources.Image, header.L1TableOffset, header.L1Size, "The active L1 table");
        _active = new MappedDisk(resources, l1, header.Size);
    }

    /// <inheritdoc/>
    public override string Path => _resources.Image.Path;

    /// <inheritdoc/>
    public override long Length => _active.Length;

    /// <inheritdoc/>
    public override VirtualDisk? Backing => _resources.Backing;

    /// <summary>The image's header.</summary>
    public Qcow2Header Header => _resources.Header;

    /// <summary>The internal snapshots, oldest first.</summary>
    public IReadOnlyList<SnapshotTableEntry> Snapshots { get; }

    /// <summary>The persistent bitmaps; none where the header says that they are stale.</summary>
    /// <exception cref="Qcow2Exception">The bitmap directory is damaged.</exception>
    public IReadOnlyList<BitmapDirectoryEntry> Bitmaps
    {
        get
        {
            try
            {
                return _bitmaps ??= BitmapDirectory.Load(_resources.Image, Header);
            }
            catch (Qcow2Exception e)
            {
                e.At(Path);
                throw;
            }
        }
    }

    /// <summary>Opens an image for reading, with its backing chain and external data file.</summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory.</param>
    /// <param name="options">How; null for <see cref="Qcow2OpenOptions.Default"/>.</param>
    /// <param name="cancellationToken">Ends the trying of a passphrase, which takes seconds by design.</param>
    /// <exception cref="Qcow2Exception">The image, or another of its chain, cannot be used; <see cref="Qcow2Exception.Code"/> says why.</exception>
    /// <exception cref="IOException">The host could not open or read the file.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static Qcow2Image Open(string path, Qcow2OpenOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= Qcow2OpenOptions.Default;
        return Open(ImageFile.Open(path, options), options, cancellationToken);
    }

    /// <summary>Opens an image that lies in storage of the caller's. The image owns the storage from then on.</summary>
    /// <param name="storage">The image's bytes; disposed of also when the image cannot be opened.</param>
    /// <param name="options">How; null for <see cref="Qcow2OpenOptions.Default"/>.</param>
    /// <param name="cancellationToken">Ends the trying of a passphrase, which takes seconds by design.</param>
    /// <exception cref="Qcow2Exception">The image, or another of its chain, cannot be used; <see cref="Qcow2Exception.Code"/> says why.</exception>
    public static Qcow2Image Open(BlockStorage storage, Qcow2OpenOptions? options = null, CancellationToken cancellationToken = default)
    {
        try
        {
            return Open(storage, ChainContext.Begin(storage, options ?? Qcow2OpenOptions.Default, cancellationToken));
        }
        catch
        {
            storage.Dispose();
            throw;
        }
    }

    /// <summary>Opens an image as part of a chain. On failure the storage is left to the caller.</summary>
    internal static Qcow2Image Open(BlockStorage storage, ChainContext chain)
    {
        BlockStorage? data = null;
        VirtualDisk? backing = null;
        SectorCipher? cipher = null;
        try
        {
            Qcow2Header header = HeaderCluster.Load(storage);
            header.EnsureSupported();
            IReadOnlyList<SnapshotTableEntry> snapshots = SnapshotTable.Load(storage, header);
            cipher = ImageEncryption.Unlock(storage, header, chain.Options.Passphrase, chain.CancellationToken);
            data = header.Has(IncompatibleFeatures.ExternalDataFile) ? BackingFile.OpenDataFile(header, storage, chain.Options) : storage;
            backing = BackingFile.Open(header, storage.Path, chain);
            var resources = new ImageResources(header, storage, data, backing, cipher, chain.Options.L2CacheSize);
            return new Qcow2Image(resources, snapshots);
        }
        catch (Exception e)
        {
            backing?.Dispose();
            cipher?.Dispose();
            if (!ReferenceEquals(data, storage))
            {
                data?.Dispose();
            }

            (e as Qcow2Exception)?.At(storage.Path);
            throw;
        }
    }

    /// <summary>Finds a snapshot by its id or, where no id matches, by its name, as QEMU does.</summary>
    /// <param name="idOrName">The id or name; case matters.</param>
    /// <exception cref="Qcow2Exception">There is none, or several have the name.</exception>
    public SnapshotTableEntry FindSnapshot(string idOrName)
    {
        SnapshotTableEntry? byId = Snapshots.FirstOrDefault(snapshot => string.Equals(snapshot.Id, idOrName, StringComparison.Ordinal));
        if (byId is not null)
        {
            return byId;
        }

        List<SnapshotTableEntry> byName = [.. Snapshots.Where(snapshot => string.Equals(snapshot.Name, idOrName, StringComparison.Ordinal))];
        return byName.Count switch
        {
            1 => byName[0],
            0 => throw NotFound($"There is no snapshot with the id or name '{FormatText.Printable(idOrName)}'; {KnownSnapshots()}"),
            _ => throw NotFound(
                $"{byName.Count} snapshots are called '{FormatText.Printable(idOrName)}'; say which by its id: "
                + $"{string.Join(", ", byName.Select(snapshot => snapshot.Id))}."),
        };
    }

    /// <summary>Opens an internal snapshot as a disk. It borrows this image, which must stay open as long as it is read.</summary>
    /// <param name="snapshot">One of <see cref="Snapshots"/>.</param>
    /// <exception cref="Qcow2Exception">The snapshot's L1 table is damaged.</exception>
    public VirtualDisk OpenSnapshot(SnapshotTableEntry snapshot)
    {
        try
        {
            string name = $"The L1 table of snapshot '{FormatText.Printable(snapshot.Id)}'";
            ulong size = snapshot.DiskSize ?? (ulong)Header.Size;
            if (size > long.MaxValue || Header.Geometry.L1EntriesFor((long)size) > snapshot.L1Size)
            {
                throw Qcow2Errors.Corrupt($"{name} has {snapshot.L1Size} entries, too few for its disk of {size} bytes.");
            }

            L1Table l1 = L1Table.Load(_resources.Image, snapshot.L1TableOffset, snapshot.L1Size, name);
            return new MappedDisk(_resources, l1, (long)size);
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }

    /// <inheritdoc/>
    protected internal override void EnsureReadable() => _active.EnsureReadable();

    /// <inheritdoc/>
    protected internal override void ReadCore(long offset, Span<byte> buffer) => _active.ReadCore(offset, buffer);

    /// <inheritdoc/>
    protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
        => _active.EnumerateExtents(offset, length, depth);

    /// <inheritdoc/>
    protected internal override bool ReadsFrom(FileIdentity file) => _active.ReadsFrom(file);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _resources.Dispose();
        }

        base.Dispose(disposing);
    }

    private string KnownSnapshots()
    {
        const int Shown = 10;
        if (Snapshots.Count == 0)
        {
            return "the image has no snapshots.";
        }

        IEnumerable<string> names = Snapshots.Take(Shown).Select(snapshot => $"'{FormatText.Printable(snapshot.Name)}' (id {FormatText.Printable(snapshot.Id)})");
        return $"the image has {string.Join(", ", names)}{(Snapshots.Count > Shown ? " and more." : ".")}";
    }

    private Qcow2Exception NotFound(string message) => new Qcow2Exception(Qcow2ErrorCode.SnapshotNotFound, message).At(Path);
}

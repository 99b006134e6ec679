using Qcow2.Engine.Checking;
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
public sealed partial class Qcow2Image : VirtualDisk
{
    private readonly ImageResources _resources;
    private readonly MappedDisk _active;
    private readonly DiskWriter? _writer;
    private readonly SnapshotTable _snapshots;
    private bool _isDisposed;

    private Qcow2Image(ImageResources resources, SnapshotTable snapshots, bool mayBeCut = false)
    {
        _resources = resources;
        _snapshots = snapshots;
        Qcow2Header header = resources.Header;
        L1Table l1 = L1Table.Load(resources.Image, header.L1TableOffset, header.L1Size, "The active L1 table", mayBeCut);
        _active = new MappedDisk(resources, l1, header.Size);
        if (resources.IsWritable)
        {
            _writer = CreateWriter(l1);
        }
    }

    /// <inheritdoc/>
    public override string Path => _resources.Image.Path;

    /// <inheritdoc/>
    public override long Length => _active.Length;

    /// <inheritdoc/>
    public override VirtualDisk? Backing => _resources.Backing;

    /// <inheritdoc/>
    internal override DiskOrigin? Origin => _active.Origin;

    /// <summary>The image's header.</summary>
    public Qcow2Header Header => _writer?.Header ?? _resources.Header;

    /// <summary>
    /// What is damaged in the image without the active disk being affected: the snapshot table, a snapshot, a header extension. A
    /// sentence each; empty where nothing was found. Bitmaps are not looked at.
    /// </summary>
    public IReadOnlyList<string> Problems => [.. _resources.Header.ExtensionProblems, .. _snapshots.ProblemsWith(Snapshots)];

    /// <summary>
    /// The persistent bitmaps as they are now; none where the header says that they are stale. One that records what is
    /// written here is marked as in use on the disk until the image is closed, but not in this list.
    /// </summary>
    /// <exception cref="Qcow2Exception">The bitmap directory is damaged.</exception>
    public IReadOnlyList<BitmapDirectoryEntry> Bitmaps
    {
        get
        {
            try
            {
                return _writer?.Bitmaps ?? BitmapDirectory.Load(_resources.Image, Header);
            }
            catch (Qcow2Exception e)
            {
                e.At(Path);
                throw;
            }
        }
    }

    /// <summary>L2 tables that wait to be written, in bytes.</summary>
    internal long UnwrittenTableBytes => _resources.L2Cache.DirtyBytes;

    /// <summary>Creates an image and opens it for writing.</summary>
    /// <param name="path">The file to make. A relative path is taken from the process's current directory.</param>
    /// <param name="size">Size of the virtual disk, in bytes; null to take the backing file's. The next multiple of 512 is taken (<see cref="DiskSize"/>).</param>
    /// <param name="options">The layout; null for <see cref="Qcow2CreateOptions.Default"/>.</param>
    /// <param name="overwrite">Whether files that exist are replaced. They stay as they were until the new ones are complete.</param>
    /// <param name="progress">Told of the bytes of the disk that have been preallocated so far, in order, on the calling thread.</param>
    /// <param name="cancellationToken">Stops the creation, which takes long only where space is preallocated or the image is encrypted.</param>
    /// <exception cref="ArgumentException">The options contradict each other or the format.</exception>
    /// <exception cref="Qcow2Exception">
    /// The disk is larger than the layout allows, the file exists and may not be replaced, or the backing file cannot be opened.
    /// </exception>
    /// <exception cref="IOException">The file could not be written.</exception>
    public static Qcow2Image Create(
        string path, long? size, Qcow2CreateOptions? options = null, bool overwrite = false, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        CreateFile(path, size, options, overwrite, progress, cancellationToken);
        return Open(path, new Qcow2OpenOptions { Writable = true, Passphrase = options?.Passphrase }, cancellationToken);
    }

    /// <summary>
    /// Creates an image and leaves it closed. Unlike <see cref="Create(string, long?, Qcow2CreateOptions?, bool, IProgress{long}?, CancellationToken)"/>,
    /// this also makes an image whose backing file is not there yet.
    /// </summary>
    /// <param name="path">The file to make. A relative path is taken from the process's current directory.</param>
    /// <param name="size">Size of the virtual disk, in bytes; null to take the backing file's. The next multiple of 512 is taken (<see cref="DiskSize"/>).</param>
    /// <param name="options">The layout; null for <see cref="Qcow2CreateOptions.Default"/>.</param>
    /// <param name="overwrite">Whether files that exist are replaced. They stay as they were until the new ones are complete.</param>
    /// <param name="progress">Told of the bytes of the disk that have been preallocated so far, in order, on the calling thread.</param>
    /// <param name="cancellationToken">Stops the creation, which takes long only where space is preallocated or the image is encrypted.</param>
    /// <exception cref="ArgumentException">The options contradict each other or the format.</exception>
    /// <exception cref="Qcow2Exception">The disk is larger than the layout allows, or the backing file cannot be opened.</exception>
    /// <exception cref="IOException">The file could not be written, or exists and may not be replaced.</exception>
    public static void CreateFile(
        string path, long? size, Qcow2CreateOptions? options = null, bool overwrite = false, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        using var image = NewImageFile.Create(path, size, options ?? Qcow2CreateOptions.Default, overwrite, cancellationToken);
        image.Preallocate(progress, cancellationToken);
        image.Commit(cancellationToken);
    }

    /// <summary>Creates an image in empty storage of the caller's and opens it for writing. The image owns the storage from then on.</summary>
    /// <param name="storage">Empty storage.</param>
    /// <param name="size">Size of the virtual disk, in bytes. The next multiple of 512 is taken (<see cref="DiskSize"/>).</param>
    /// <param name="options">The layout; null for <see cref="Qcow2CreateOptions.Default"/>.</param>
    /// <remarks>The image is on the disk when this returns. Preallocation, which also takes place in a data file, is left out.</remarks>
    public static Qcow2Image Create(BlockStorage storage, long size, Qcow2CreateOptions? options = null)
    {
        options ??= Qcow2CreateOptions.Default;
        ImageCreator.Create(storage, size, options, default)?.Dispose();
        storage.Flush();
        return Open(storage, new Qcow2OpenOptions { Writable = true, Passphrase = options.Passphrase });
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
        LocalFile file = options.Writable ? ImageFile.OpenForWriting(path) : ImageFile.Open(path, options);
        return Open(file, options, cancellationToken);
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

    /// <summary>
    /// Opens an image over a disk of the caller's, in place of the backing file that its header names. The image owns both
    /// from then on, also when it cannot be opened.
    /// </summary>
    internal static Qcow2Image OpenOver(
        BlockStorage storage, VirtualDisk? backing, Qcow2OpenOptions options, CancellationToken cancellationToken = default)
    {
        try
        {
            return Open(storage, ChainContext.BeginOver(storage, backing, options, cancellationToken));
        }
        catch
        {
            backing?.Dispose();
            storage.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Gives up all that the active disk holds of its own, so that it shows its backing file and nothing else. Snapshots keep
    /// theirs. What becomes free at the end of the file is cut off.
    /// </summary>
    internal void Empty() => _writer!.Empty();

    /// <summary>Makes the header name another backing file, or none. This object goes on with the disk it was opened over.</summary>
    internal void SetBackingFile(BackingReference? reference) => _writer!.SetBackingFile(reference);

    /// <summary>Fails at once where <see cref="SetBackingFile"/> would for want of room in the header.</summary>
    internal void RequireRoomFor(BackingReference? reference) => BackingReferenceWriter.RequireRoom(_resources.Image, reference);

    /// <summary>Opens a new image for writing in storage that stays the caller's, as does the cipher.</summary>
    /// <param name="image">The image's bytes.</param>
    /// <param name="data">The external data file; null where there is none.</param>
    /// <param name="backing">The backing file, which the image owns; null where there is none.</param>
    /// <param name="cipher">The cipher of an encrypted image.</param>
    /// <param name="l2CacheSize">Most memory for L2 tables, in bytes.</param>
    internal static Qcow2Image OpenBorrowed(BlockStorage image, BlockStorage? data, VirtualDisk? backing, SectorCipher? cipher, long l2CacheSize)
    {
        Qcow2Header header = HeaderCluster.Load(image);
        return new Qcow2Image(
            new ImageResources(header, image, data ?? image, backing, cipher, l2CacheSize, isWritable: true) { OwnsFiles = false }, SnapshotTable.Empty);
    }

    /// <summary>Writes in two calls, for a conversion that decides the order of allocation. The image must be open for writing.</summary>
    internal DiskWriter Writer => _writer!;

    internal void Preallocate(Preallocation preallocation, IProgress<long>? progress, CancellationToken cancellationToken)
        => _writer!.Preallocate(0, 0, preallocation, progress, cancellationToken);

    /// <summary>Opens an image as part of a chain. On failure the storage is left to the caller.</summary>
    internal static Qcow2Image Open(BlockStorage storage, ChainContext chain)
    {
        BlockStorage? data = null;
        VirtualDisk? backing = null;
        SectorCipher? cipher = null;
        try
        {
            bool isWritable = chain.IsTop && chain.Options.Writable;
            bool isSalvage = chain.Options.Salvage && !isWritable;
            Qcow2Header header = isSalvage ? HeaderCluster.LoadForSalvage(storage) : HeaderCluster.Load(storage);
            header.EnsureSupported();
            if (isWritable)
            {
                header = DirtyImage.MakeWritable(storage, header, chain.CancellationToken);
            }

            SnapshotTable snapshots = SnapshotTable.Load(storage, header);
            if (isWritable)
            {
                EnsureNothingIsHidden(header, snapshots);
            }

            cipher = ImageEncryption.Unlock(storage, header, chain.Options.Passphrase, chain.CancellationToken);
            data = header.Has(IncompatibleFeatures.ExternalDataFile)
                ? BackingFile.OpenDataFile(header, storage, chain.Options, isWritable)
                : storage;
            backing = chain.HasSubstitute ? chain.Substitute : BackingFile.Open(header, storage.Path, chain);
            var resources = new ImageResources(header, storage, data, backing, cipher, chain.Options.L2CacheSize, isWritable)
            {
                OnProblem = chain.Options.OnProblem,
            };
            var image = new Qcow2Image(resources, snapshots, isSalvage);
            foreach (string problem in chain.IsTop && chain.Options.OnProblem is not null ? image.Problems : [])
            {
                chain.Options.OnProblem!($"{storage.Path}: {problem}");
            }

            return image;
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

    /// <inheritdoc/>
    public override bool CanWrite => _writer is not null;

    /// <inheritdoc/>
    public override void Flush() => Named(() => _writer?.Flush());

    /// <summary>
    /// Gives the disk another size. What is added reads as zeros; what is cut off is gone. A raw external data file is the disk: where it is
    /// longer already, what it holds there shows up.
    /// </summary>
    /// <param name="size">The new size, in bytes. The next multiple of 512 is taken (<see cref="DiskSize"/>).</param>
    /// <param name="allowShrink">Whether the disk may get smaller.</param>
    /// <param name="preallocation">What is allocated in advance of the part that is added. Also where there is a backing file, which it does not show.</param>
    /// <param name="progress">Told of the bytes that have been preallocated so far, in order, on the calling thread.</param>
    /// <param name="cancellationToken">Stops the preallocation. The image then has its old size, and what was added is given back.</param>
    /// <exception cref="ArgumentException">The disk would get smaller, and that was not allowed, or something is to be preallocated all the same.</exception>
    /// <exception cref="NotSupportedException">The image is open for reading only, is of version 2 and has snapshots, or has a bitmap that was never saved.</exception>
    /// <exception cref="OperationCanceledException">The resizing was stopped.</exception>
    /// <exception cref="Qcow2Exception">The size is past the limit of the image's layout.</exception>
    /// <exception cref="IOException">The host could not write. The image is consistent and has the old size or the new one.</exception>
    public void Resize(
        long size, bool allowShrink = false, Preallocation preallocation = Preallocation.Off, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        if (_writer is null)
        {
            throw new NotSupportedException($"{Path}: the image is open for reading only.");
        }

        if (Header.Version < 3 && Snapshots.Count > 0)
        {
            throw new NotSupportedException($"{Path}: an image of version 2 that has snapshots cannot be resized, for they do not say how large they are.");
        }

        size = DiskSize.RoundUp(size);
        if (size < Length && !allowShrink)
        {
            throw new ArgumentException($"{Path}: the disk has {Length} bytes; making it smaller destroys what lies past {size} and has to be allowed.", nameof(size));
        }

        if (size < Length && preallocation != Preallocation.Off)
        {
            throw new ArgumentException($"{Path}: nothing can be preallocated of a disk that gets smaller.", nameof(preallocation));
        }

        if (preallocation != Preallocation.Off)
        {
            _resources.EnsureReadable(); // Encrypted zeros need the key.
        }

        Named(() => _writer.Resize(size, preallocation, progress, cancellationToken));
    }

    /// <summary>
    /// Writes one cluster compressed, or plain where that is not smaller. Meant for filling an image: a compressed cluster that
    /// is written again takes a new place.
    /// </summary>
    /// <param name="offset">Where the cluster starts, in bytes.</param>
    /// <param name="data">The whole cluster, or as much of it as lies inside the disk.</param>
    /// <exception cref="NotSupportedException">The image is open for reading only, is encrypted or has an external data file.</exception>
    public void WriteCompressed(long offset, ReadOnlySpan<byte> data)
    {
        if (_writer is null)
        {
            throw new NotSupportedException($"{Path}: the image is open for reading only.");
        }

        if (Header.EncryptionMethod != EncryptionMethod.None || Header.Has(IncompatibleFeatures.ExternalDataFile))
        {
            throw new NotSupportedException($"{Path}: an image that is encrypted or has an external data file cannot have compressed clusters.");
        }

        if (offset < 0 || offset >= Length || !Header.Geometry.IsClusterAligned(offset))
        {
            throw new ArgumentOutOfRangeException(nameof(offset), offset, "A cluster starts inside the disk, at a multiple of the cluster size.");
        }

        if (data.Length != Math.Min(Header.ClusterSize, Length - offset))
        {
            throw new ArgumentException($"A whole cluster is written, {Math.Min(Header.ClusterSize, Length - offset)} bytes here.", nameof(data));
        }

        _writer.WriteCompressed(offset, data);
    }

    /// <inheritdoc/>
    protected internal override void WriteZeroesCore(long offset, long length, bool keepAllocation)
        => Named(() => _writer!.WriteZeroes(offset, length, keepAllocation));

    /// <inheritdoc/>
    protected internal override void DiscardCore(long offset, long length) => Named(() => _writer!.Discard(offset, length));

    /// <inheritdoc/>
    protected internal override void WriteCore(long offset, ReadOnlySpan<byte> data)
    {
        try
        {
            _writer!.Write(offset, data);
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
    internal override BlockStorage? PreallocatedStorage(CancellationToken cancellationToken) => _active.PreallocatedStorage(cancellationToken);

    /// <inheritdoc/>
    protected internal override long DamageEnd(long offset) => _active.DamageEnd(offset);

    /// <inheritdoc/>
    protected internal override bool ReadsFrom(FileIdentity file) => _active.ReadsFrom(file);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && !_isDisposed)
        {
            _isDisposed = true;
            try
            {
                Named(() => _writer?.Close());
            }
            finally
            {
                _resources.Dispose();
            }
        }

        base.Dispose(disposing);
    }

    /// <summary>What is found wrong while the image is written names the image, too.</summary>
    private void Named(Action write)
    {
        try
        {
            write();
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }

    private DiskWriter CreateWriter(L1Table l1)
    {
        var refcounts = RefcountStore.Load(_resources.Image, Header, 4L << 20);
        var guard = new MetadataGuard(Header.ClusterBits);
        if (ImageEncryption.FindLuksHeader(Header) is { } encryption)
        {
            guard.SetRange(encryption.Offset, encryption.HeaderLength, "the encryption header");
        }

        refcounts.MetadataAdded = (offset, length) => guard.Add(offset, length, "the refcount structure");
        var committer = new MetadataCommitter(_resources.Image, _resources.Data, Header, l1, _resources.L2Cache, refcounts)
        {
            Exclusively = _resources.Exclusively,
        };
        return new DiskWriter(_resources, _active, l1, _snapshots.Entries, refcounts, guard, committer);
    }

    /// <summary>
    /// Refuses an image to a writer that could not know all that it must keep. A damaged snapshot is no reason: refcounts keep
    /// its clusters, wherever it lies.
    /// </summary>
    private static void EnsureNothingIsHidden(Qcow2Header header, SnapshotTable snapshots)
    {
        header.EnsureExtensionsKnown();
        ImageEncryption.FindLuksHeader(header);
        snapshots.EnsureComplete();
    }
}

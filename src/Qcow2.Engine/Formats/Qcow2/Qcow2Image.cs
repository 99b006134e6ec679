using Qcow2.Engine.Conversion;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Bitmaps;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Reading;
using Qcow2.Engine.Formats.Qcow2.Snapshots;
using Qcow2.Engine.Formats.Qcow2.Writing;
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
    private readonly bool _lacksActiveTable;
    private bool _isDisposed;

    private Qcow2Image(ImageResources resources, SnapshotTable snapshots, bool mayBeCut = false)
    {
        _resources = resources;
        _snapshots = snapshots;
        Qcow2Header header = resources.Header;
        L1Table l1 = LoadActiveTable(header, mayBeCut);
        _lacksActiveTable = l1.IsLost;
        _active = new MappedDisk(resources, l1, header.Size);
        if (resources.IsWritable)
        {
            _writer = CreateWriter(l1);
        }
    }

    private L1Table LoadActiveTable(Qcow2Header header, bool mayBeCut)
    {
        const string Name = "The active L1 table";
        try
        {
            return L1Table.Load(_resources.Image, header.L1TableOffset, header.L1Size, Name, mayBeCut);
        }
        catch (Qcow2Exception e) when (_snapshots.Entries.Count > 0)
        {
            throw Qcow2Errors.Corrupt($"{e.Message} The snapshots have tables of their own: opened for salvage, they can be read ({SnapshotList}).");
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
    public IReadOnlyList<string> Problems => _lacksActiveTable
        ? [LostActiveTable, .. _resources.Header.ExtensionProblems, .. _snapshots.ProblemsWith(Snapshots)]
        : [.. _resources.Header.ExtensionProblems, .. _snapshots.ProblemsWith(Snapshots)];

    private string LostActiveTable
        => $"The active L1 table lies past the end of the file, so that nothing of the disk can be found{(Snapshots.Count > 0 ? $"; its snapshots have tables of their own: {SnapshotList}" : "")}.";

    private string SnapshotList => string.Join(", ", Snapshots.Take(8).Select(snapshot => $"'{PrintableText.Of(snapshot.Name)}'")) + (Snapshots.Count > 8 ? ", …" : "");

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

    /// <summary>
    /// Gives up all that the active disk holds of its own, so that it shows its backing file and nothing else. Snapshots keep
    /// theirs. What becomes free at the end of the file is cut off.
    /// </summary>
    internal void Empty() => _writer!.Empty();

    /// <summary>Whether others may share the image's clusters though it is open for writing: nobody writes it meanwhile.</summary>
    internal bool MayBeShared
    {
        set => _resources.IsStill = value || !_resources.IsWritable;
    }

    /// <summary>Makes the header name another backing file, or none. This object goes on with the disk it was opened over.</summary>
    internal void SetBackingFile(BackingReference? reference) => _writer!.SetBackingFile(reference);

    /// <summary>Fails at once where <see cref="SetBackingFile"/> would for want of room in the header.</summary>
    internal void RequireRoomFor(BackingReference? reference) => BackingReferenceWriter.RequireRoom(_resources.Image, reference);

    /// <summary>Writes in two calls, for a conversion that decides the order of allocation. The image must be open for writing.</summary>
    internal DiskWriter Writer => _writer!;

    internal void Preallocate(Preallocation preallocation, IProgress<long>? progress, CancellationToken cancellationToken)
        => _writer!.Preallocate(0, 0, preallocation, progress, cancellationToken, hidesBacking: Header.BackingFile is null);

    /// <inheritdoc/>
    public override bool CanWrite => _writer is not null;

    /// <inheritdoc/>
    internal override void Grow(long length, CancellationToken cancellationToken) => Resize(length, cancellationToken: cancellationToken);

    /// <inheritdoc/>
    internal override CopyTarget TargetOfCopy(bool isZero, ConversionOptions options)
    {
        if (options.CopyBitmaps)
        {
            throw new ArgumentException("Bitmaps are copied into a new image only: those of an existing one record what is written to it.", nameof(options));
        }

        Qcow2Target.RequireCompressible(options, Header.CompressionType, Header.EncryptionMethod, Header.Has(IncompatibleFeatures.ExternalDataFile));
        return new Qcow2Target(this, isZero, null, options);
    }

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

    /// <summary>Writes what another file has, too, and shares with it what it can.</summary>
    internal void Write(long offset, ReadOnlySpan<byte> data, SharedExtents sharing)
    {
        try
        {
            _writer!.Write(offset, data, sharing);
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
    internal override HostRun? FindHostRun(long offset, long length) => _active.FindHostRun(offset, length);

    /// <inheritdoc/>
    internal override void WillRead(long offset, long length) => _active.WillRead(offset, length);

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
}

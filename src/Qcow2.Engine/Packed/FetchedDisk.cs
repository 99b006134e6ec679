using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Packed;

/// <summary>A disk of an archive that was brought here, into a file that nobody else can open and that is gone when it is closed.</summary>
internal sealed class FetchedDisk : BorrowedStorage
{
    private readonly TemporaryFile _file;
    private readonly BlockStorage _archive;

    private FetchedDisk(TemporaryFile file, BlockStorage archive)
        : base(file.Storage)
    {
        _file = file;
        _archive = archive;
    }

    /// <inheritdoc/>
    public override string Path => _archive.Path;

    /// <inheritdoc/>
    public override bool HasLocalPath => false;

    /// <inheritdoc/>
    public override long AllocatedLength => Length;

    /// <inheritdoc/>
    public override FileIdentity Identity => _archive.Identity;

    /// <summary>Brings a disk.</summary>
    /// <param name="archive">The archive, which is closed with the result; not where this fails.</param>
    /// <param name="disk">The disk in it.</param>
    /// <param name="folder">Where the file goes.</param>
    /// <param name="manifest">What the manifest has for it; becomes how the disk stands to that.</param>
    /// <param name="progress">Told how much was read; null for nobody.</param>
    /// <param name="cancellationToken">Stops it, and leaves nothing.</param>
    internal static FetchedDisk Create(
        BlockStorage archive, BlockStorage disk, string folder, ref DiskManifest manifest, IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        if (!manifest.HasSum)
        {
            throw new ArgumentException("The manifest has no sum for the disk, which is read where it lies.", nameof(manifest));
        }

        FreeSpace.Require(archive.Path, folder, disk.Length);
        var file = TemporaryFile.Create(folder);
        try
        {
            manifest = manifest.CompareAndCopy(disk, file.Storage, progress, cancellationToken);
            return new FetchedDisk(file, archive);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file.Dispose();
            _archive.Dispose();
        }

        base.Dispose(disposing);
    }
}

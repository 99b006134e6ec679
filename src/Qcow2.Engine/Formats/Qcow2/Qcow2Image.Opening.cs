using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Checking;
using Qcow2.Engine.Formats.Qcow2.Creation;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Reading;
using Qcow2.Engine.Formats.Qcow2.Snapshots;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <content>Creating and opening.</content>
public sealed partial class Qcow2Image
{
    /// <summary>Creates an image and opens it for writing.</summary>
    /// <param name="path">The file to make. A relative path is taken from the process's current directory.</param>
    /// <param name="size">Size of the virtual disk, in bytes; null to take that of the backing file, or of a data file that is kept. The next multiple of 512 is taken (<see cref="DiskSize"/>).</param>
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
    /// <param name="size">Size of the virtual disk, in bytes; null to take that of the backing file, or of a data file that is kept. The next multiple of 512 is taken (<see cref="DiskSize"/>).</param>
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
        if (options.KeepDataFile)
        {
            throw new ArgumentException("An external data file that is kept takes preallocation, which is left out here.", nameof(options));
        }

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

            cipher = ImageEncryption.Unlock(storage, header, chain.PassphraseOf(storage), chain.CancellationToken);
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

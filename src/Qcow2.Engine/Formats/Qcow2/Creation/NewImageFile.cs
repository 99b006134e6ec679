using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Creation;

/// <summary>
/// The files of an image that is being made: the image and, where asked for, its external data file. They get their names when they
/// are complete; until then whatever has these names stays as it is.
/// </summary>
internal sealed class NewImageFile : IDisposable
{
    /// <summary>Tables that are written once, from the front to the back, gain nothing from staying in memory.</summary>
    private const long L2CacheSize = 4L << 20;

    private readonly ReplacementFile _image;
    private readonly ReplacementFile? _data;
    private readonly KeptDataFile? _kept;
    private readonly SectorCipher? _cipher;
    private readonly Qcow2CreateOptions _options;

    private NewImageFile(ReplacementFile image, ReplacementFile? data, KeptDataFile? kept, SectorCipher? cipher, Qcow2CreateOptions options)
    {
        _image = image;
        _data = data;
        _kept = kept;
        _cipher = cipher;
        _options = options;
    }

    /// <summary>Begins an image with an empty disk; nothing is preallocated yet.</summary>
    /// <param name="path">The image to make; a relative path is taken from the process's current directory.</param>
    /// <param name="size">Size of the disk, in bytes, of which whole sectors are made; null to take that of the backing file, or of a data file that is kept.</param>
    /// <param name="options">The layout.</param>
    /// <param name="overwrite">Whether files that exist are replaced.</param>
    /// <param name="cancellationToken">Ends the derivation of an encrypted image's key.</param>
    internal static NewImageFile Create(string path, long? size, Qcow2CreateOptions options, bool overwrite, CancellationToken cancellationToken)
    {
        string fullPath = System.IO.Path.GetFullPath(path);
        KeptDataFile? kept = options.KeepDataFile ? KeptDataFile.Open(fullPath, options) : null;
        ReplacementFile? image = null;
        ReplacementFile? data = null;
        try
        {
            long diskSize = DiskSize.RoundUp(kept?.SizeFor(size) ?? SizeOf(fullPath, size, options));
            image = ReplacementFile.Create(fullPath, overwrite);
            data = CreateDataFile(fullPath, diskSize, options, overwrite);
            SectorCipher? cipher = ImageCreator.Create(image.Storage, diskSize, options, cancellationToken);
            return new NewImageFile(image, data, kept, cipher, options);
        }
        catch
        {
            data?.Dispose();
            image?.Dispose();
            kept?.Dispose();
            throw;
        }
    }

    /// <summary>Begins an image that is to take the place of another one, with that one's header and an empty disk.</summary>
    /// <param name="source">The image that is replaced.</param>
    /// <param name="model">Its header.</param>
    /// <param name="size">Size of the disk, in bytes.</param>
    /// <param name="encryptionHeader">Its encryption header; empty where there is none.</param>
    /// <param name="passphrase">Its passphrase; null where it is not encrypted.</param>
    /// <param name="cancellationToken">Ends the derivation of an encrypted image's key.</param>
    internal static NewImageFile CreateLike(
        HeldFile source, Qcow2Header model, long size, byte[] encryptionHeader, Passphrase? passphrase, CancellationToken cancellationToken)
    {
        ReplacementFile image = ReplacementFile.Create(source);
        try
        {
            Qcow2Header header = ImageCreator.CreateLike(image.Storage, model, size, encryptionHeader);
            SectorCipher? cipher = ImageEncryption.Unlock(image.Storage, header, passphrase, cancellationToken);
            return new NewImageFile(image, null, null, cipher, Qcow2CreateOptions.Default);
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    /// <summary>The new image's bytes.</summary>
    internal BlockStorage Storage => _image.Storage;

    /// <summary>Preallocates what the layout says.</summary>
    /// <param name="progress">Told of the bytes of the disk that have been preallocated so far, on the calling thread.</param>
    /// <param name="cancellationToken">Stops it.</param>
    internal void Preallocate(IProgress<long>? progress, CancellationToken cancellationToken)
    {
        if (_options.Preallocation != Preallocation.Off || _options.DataFileRaw)
        {
            using Qcow2Image disk = Open(null);
            disk.Preallocate(_options.Preallocation, progress, cancellationToken);
        }
    }

    /// <summary>Opens the disk for writing. What it writes need not survive a crash before <see cref="Commit"/>: nobody knows the files before.</summary>
    /// <param name="backing">The backing file, which the disk closes; null where there is none.</param>
    internal Qcow2Image Open(VirtualDisk? backing)
        => Qcow2Image.OpenBorrowed(
            new UnflushedStorage(_image.Storage), _data is null ? _kept?.Storage : new UnflushedStorage(_data.Storage), backing, _cipher, L2CacheSize);

    /// <summary>Brings everything to the disk of the host and gives the files their names.</summary>
    /// <param name="cancellationToken">The last chance to leave everything as it was.</param>
    internal void Commit(CancellationToken cancellationToken)
    {
        _image.Storage.Flush();
        _data?.Storage.Flush();
        cancellationToken.ThrowIfCancellationRequested();
        _image.EnsureReplaceable(); // Or the old image would be left with the new data file.
        _kept?.EnsureUnchanged();
        _data?.Commit();
        _image.Commit();
    }

    public void Dispose()
    {
        _cipher?.Dispose();
        _data?.Dispose();
        _image.Dispose();
        _kept?.Dispose();
    }

    private static long SizeOf(string path, long? size, Qcow2CreateOptions options)
    {
        if (options.BackingFile is null)
        {
            return size ?? throw new ArgumentException("A disk without a backing file needs a size.", nameof(size));
        }

        if (!options.CheckBackingFile)
        {
            return size ?? throw new ArgumentException("The backing file is not looked at, so a size is needed.", nameof(size));
        }

        if (options.BackingFormat is null)
        {
            throw new ArgumentException("A backing file and its format are given together.", nameof(options));
        }

        long length = ParentFile.LengthForCreation(options.BackingFile, options.BackingFormat, path); // Also where a size is given: the file must be there.
        return size ?? length;
    }

    private static ReplacementFile? CreateDataFile(string imagePath, long size, Qcow2CreateOptions options, bool overwrite)
    {
        if (options.DataFile is null || options.KeepDataFile)
        {
            return null;
        }

        var file = ReplacementFile.Create(KeptDataFile.PathOf(imagePath, options), overwrite);
        file.Storage.SetLength(size);
        return file;
    }
}

using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Creation;
using Qcow2.Engine.Formats.Qcow2.Reading;
using Qcow2.Engine.Formats.Qcow2.Writing;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Conversion;

/// <summary>
/// Copies a disk into a new file or an existing disk, several threads at once. Holes and zeros are neither read nor written where the
/// destination reads as zeros anyway. The same disk makes the same bytes, whatever the number of threads.
/// </summary>
/// <remarks>
/// Memory is bounded: two parcels of up to 2 MiB for each thread, and one more, which compression and a comparison with a backing file make
/// three times as large at most; and the tables that the source and the destination keep (<see cref="Qcow2OpenOptions.L2CacheSize"/>).
/// </remarks>
public static class DiskConverter
{
    /// <summary>
    /// Copies a disk into a new raw file. The file is written under another name and moved into place when it is complete, so a
    /// failure leaves what was there before.
    /// </summary>
    /// <param name="source">The disk.</param>
    /// <param name="path">The file to make; a relative path is taken from the process's current directory.</param>
    /// <param name="overwrite">Whether a file that exists is replaced.</param>
    /// <param name="options">How; null for <see cref="ConversionOptions.Default"/>.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for none.</param>
    /// <param name="cancellationToken">Stops the conversion within a fraction of a second.</param>
    /// <returns>What could not be read, if that was to be left out.</returns>
    /// <exception cref="ArgumentException">The options contradict each other.</exception>
    /// <exception cref="Qcow2Exception">
    /// The source is damaged or needs a passphrase; or the file exists and may not be replaced, or the source is read from it.
    /// </exception>
    /// <exception cref="IOException">The host could not read or write.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public static ConversionResult ConvertToRaw(
        VirtualDisk source,
        string path,
        bool overwrite = false,
        ConversionOptions? options = null,
        IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        RequireOther(source, path);
        source.EnsureReadable();
        using var destination = ReplacementFile.Create(path, overwrite);
        ConversionResult result = ConvertToRaw(source, destination.Storage, options, progress, cancellationToken);
        destination.Storage.Flush();
        cancellationToken.ThrowIfCancellationRequested();
        destination.Commit();
        return result;
    }

    /// <summary>Copies a disk into storage that is empty and reads as zeros.</summary>
    /// <param name="source">The disk.</param>
    /// <param name="destination">The storage; set to the disk's length. It stays the caller's.</param>
    /// <param name="options">How; null for <see cref="ConversionOptions.Default"/>.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for none.</param>
    /// <param name="cancellationToken">Stops the conversion within a fraction of a second.</param>
    /// <returns>What could not be read, if that was to be left out.</returns>
    public static ConversionResult ConvertToRaw(
        VirtualDisk source,
        BlockStorage destination,
        ConversionOptions? options = null,
        IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        options = Checked(options);
        RequirePlain(options, "A raw file");
        source.EnsureReadable();
        destination.SetLength(source.Length);
        using var disk = RawDisk.Open(new UnflushedStorage(destination), isWritable: true);
        using var target = new DiskTarget(disk, isZero: true, options.SparseSize);
        return DiskCopy.Run(source, target, options, progress, cancellationToken);
    }

    /// <summary>
    /// Copies a disk into a new QCOW2 image. The image is written under another name and moved into place when it is complete, so a
    /// failure leaves what was there before. The size of its disk is that of the source, to the next multiple of 512 bytes.
    /// </summary>
    /// <param name="source">The disk.</param>
    /// <param name="path">The file to make; a relative path is taken from the process's current directory.</param>
    /// <param name="layout">The layout; null for <see cref="Qcow2CreateOptions.Default"/>. With a backing file, only what differs from it is written.</param>
    /// <param name="overwrite">Whether files that exist are replaced.</param>
    /// <param name="options">How; null for <see cref="ConversionOptions.Default"/>.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for none.</param>
    /// <param name="cancellationToken">Stops the conversion within a fraction of a second.</param>
    /// <returns>What could not be read, if that was to be left out.</returns>
    /// <exception cref="ArgumentException">The options contradict each other or the format.</exception>
    /// <exception cref="Qcow2Exception">
    /// The source is damaged or needs a passphrase; the file exists and may not be replaced, or the source or the backing file is read from
    /// it; the disk is larger than the layout allows, or the backing file cannot be used.
    /// </exception>
    /// <exception cref="IOException">The host could not read or write.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public static ConversionResult ConvertToQcow2(
        VirtualDisk source,
        string path,
        Qcow2CreateOptions? layout = null,
        bool overwrite = false,
        ConversionOptions? options = null,
        IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        options = Checked(options);
        layout ??= Qcow2CreateOptions.Default;
        Qcow2Image? bitmaps = BitmapsOf(source, layout, options);
        RequireCompressible(options, layout.CompressionType, layout.Encryption, layout.DataFile is not null);
        if (bitmaps is not null)
        {
            BitmapCopier.EnsureCopyable(bitmaps, options.SkipBrokenBitmaps);
        }

        string fullPath = System.IO.Path.GetFullPath(path);
        source.EnsureReadable();
        using VirtualDisk? backing = OpenBacking(layout, fullPath);
        RequireApart(source, backing, fullPath, layout);
        using var image = NewImageFile.Create(fullPath, source.Length, layout, overwrite, cancellationToken);
        image.Preallocate(null, cancellationToken);
        ConversionResult result;
        using (Qcow2Image disk = image.Open(OpenBacking(layout, fullPath)))
        {
            using var target = new Qcow2Target(disk, isZero: true, backing, options);
            result = DiskCopy.Run(source, target, options, progress, cancellationToken);
            if (bitmaps is not null)
            {
                result = result with { SkippedBitmaps = BitmapCopier.Copy(bitmaps, disk, options.SkipBrokenBitmaps, cancellationToken) };
            }
        }

        image.Commit(cancellationToken);
        return result;
    }

    /// <summary>
    /// Copies a disk into the beginning of one that exists: an image, a raw file or a device. What lies past the end of the source
    /// stays as it is. If this fails, the destination holds a part of the copy.
    /// </summary>
    /// <param name="source">The disk.</param>
    /// <param name="destination">Where to, open for writing and no shorter than the source. It is flushed at the end, and stays open.</param>
    /// <param name="isZero">Whether the destination is known to read as zeros, so that zeros need not be written.</param>
    /// <param name="options">How; null for <see cref="ConversionOptions.Default"/>.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for none.</param>
    /// <param name="cancellationToken">Stops the conversion within a fraction of a second.</param>
    /// <returns>What could not be read, if that was to be left out.</returns>
    /// <exception cref="ArgumentException">The options contradict each other, or the destination is shorter than the source.</exception>
    /// <exception cref="NotSupportedException">The destination is open for reading only.</exception>
    /// <exception cref="Qcow2Exception">The source or the destination is damaged or needs a passphrase, or one is read from the other.</exception>
    /// <exception cref="IOException">The host could not read or write.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public static ConversionResult ConvertInto(
        VirtualDisk source,
        VirtualDisk destination,
        bool isZero = false,
        ConversionOptions? options = null,
        IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        options = Checked(options);
        RequireFitting(source, destination);
        source.EnsureReadable();
        destination.EnsureReadable();
        using CopyTarget target = TargetFor(destination, isZero, options);
        ConversionResult result = DiskCopy.Run(source, target, options, progress, cancellationToken);
        destination.Flush();
        return result;
    }

    private static CopyTarget TargetFor(VirtualDisk destination, bool isZero, ConversionOptions options)
    {
        if (destination is Qcow2Image image)
        {
            if (options.CopyBitmaps)
            {
                throw new ArgumentException("Bitmaps are copied into a new image only: those of an existing one record what is written to it.", nameof(options));
            }

            RequireCompressible(options, image.Header.CompressionType, image.Header.EncryptionMethod, image.Header.Has(IncompatibleFeatures.ExternalDataFile));
            return new Qcow2Target(image, isZero, null, options);
        }

        RequirePlain(options, "A raw disk");
        return new DiskTarget(destination, isZero, options.SparseSize);
    }

    private static VirtualDisk? OpenBacking(Qcow2CreateOptions layout, string path)
        => layout.BackingFile is null || layout.BackingFormat is null ? null : BackingFile.OpenForCreation(layout.BackingFile, layout.BackingFormat, path);

    private static ConversionOptions Checked(ConversionOptions? options)
    {
        options ??= ConversionOptions.Default;
        options.Check();
        return options;
    }

    /// <summary>The image whose bitmaps are copied; null if none are.</summary>
    private static Qcow2Image? BitmapsOf(VirtualDisk source, Qcow2CreateOptions layout, ConversionOptions options)
    {
        if (options.CopyBitmaps && layout.Version < 3)
        {
            throw new ArgumentException("An image of version 2 cannot have bitmaps; make one of version 3.", nameof(layout));
        }

        return !options.CopyBitmaps ? null : source as Qcow2Image
            ?? throw new ArgumentException($"{source.Path}: only the active disk of a QCOW2 image has bitmaps that could be copied.", nameof(source));
    }

    private static void RequirePlain(ConversionOptions options, string what)
    {
        if (options.CopyBitmaps)
        {
            throw new ArgumentException($"{what} has no bitmaps; they are copied into a new QCOW2 image.", nameof(options));
        }

        if (options.Compress)
        {
            throw new ArgumentException($"{what} cannot be compressed; write a QCOW2 image.", nameof(options));
        }
    }

    private static void RequireCompressible(ConversionOptions options, CompressionType type, EncryptionMethod encryption, bool hasDataFile)
    {
        CompressionLevels.Resolve(type, options.CompressionLevel);
        if (options.Compress && (encryption != EncryptionMethod.None || hasDataFile))
        {
            throw new ArgumentException("An image that is encrypted or has an external data file cannot have compressed clusters.", nameof(options));
        }
    }

    private static void RequireFitting(VirtualDisk source, VirtualDisk destination)
    {
        if (!destination.CanWrite)
        {
            throw new NotSupportedException($"{destination.Path}: the disk is open for reading only.");
        }

        if (destination.Length < source.Length)
        {
            throw new ArgumentException(
                $"{destination.Path}: the disk has {destination.Length} bytes, fewer than the {source.Length} of {source.Path}; nothing was written.", nameof(destination));
        }

        RequireOther(source, destination.Path);
        if (destination.ReadsFrom(source.Path))
        {
            throw IsSource(source.Path, destination.Path);
        }
    }

    /// <summary>Neither the source nor the backing file may be read from what is written.</summary>
    private static void RequireApart(VirtualDisk source, VirtualDisk? backing, string path, Qcow2CreateOptions layout)
    {
        string? data = layout.DataFile is null ? null : ImageReference.TryResolve(layout.DataFile, path);
        foreach (VirtualDisk? disk in new[] { source, backing })
        {
            if (disk is not null)
            {
                RequireOther(disk, path);
                if (data is not null)
                {
                    RequireOther(disk, data);
                }
            }
        }
    }

    private static void RequireOther(VirtualDisk source, string path)
    {
        if (source.ReadsFrom(path))
        {
            throw IsSource(path, source.Path);
        }
    }

    private static Qcow2Exception IsSource(string path, string source)
        => new Qcow2Exception(
            Qcow2ErrorCode.DestinationIsSource,
            $"{source} is read from this very file, directly or through its backing chain, so that it cannot be the destination.")
            .At(System.IO.Path.GetFullPath(path));
}

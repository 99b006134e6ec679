using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Formats.Raw;
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
    /// Copies a disk into a new file of any format that can be made (<see cref="DiskFormats"/>). The file is written under another name and moved into
    /// place when it is complete, so a failure leaves what was there before.
    /// </summary>
    /// <param name="source">The disk.</param>
    /// <param name="path">The file to make; a relative path is taken from the process's current directory.</param>
    /// <param name="layout">The format and its layout.</param>
    /// <param name="overwrite">Whether files that exist are replaced.</param>
    /// <param name="options">How; null for <see cref="ConversionOptions.Default"/>.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for none.</param>
    /// <param name="cancellationToken">Stops the conversion within a fraction of a second.</param>
    /// <returns>What could not be read, if that was to be left out.</returns>
    /// <exception cref="ArgumentException">The options contradict each other or the format.</exception>
    /// <exception cref="Qcow2Exception">
    /// The source is damaged or needs a passphrase; the file exists and may not be replaced, or the source is read from it; or the disk is larger than
    /// the format allows.
    /// </exception>
    /// <exception cref="IOException">The host could not read or write.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public static ConversionResult Convert(
        VirtualDisk source,
        string path,
        DiskCreateOptions layout,
        bool overwrite = false,
        ConversionOptions? options = null,
        IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        options ??= ConversionOptions.Default;
        options = Checked(layout.IsCompressed ? options with { Compress = true } : options);
        string fullPath = System.IO.Path.GetFullPath(path);
        source.RequireOther(fullPath);
        source.EnsureReadable();
        using NewDiskFile file = layout.Begin(source, fullPath, overwrite, options, cancellationToken);
        ConversionResult result = DiskCopy.Run(source, file.Target, options, progress, cancellationToken);
        result = result with { SkippedBitmaps = file.Complete(cancellationToken) };
        file.Commit(cancellationToken);
        return result;
    }

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
        return Convert(source, path, RawCreateOptions.Default, overwrite, options, progress, cancellationToken);
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
        source.EnsureReadable();
        using var file = NewRawFile.Create(source, destination, options);
        return DiskCopy.Run(source, file.Target, options, progress, cancellationToken);
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
        return Convert(source, path, layout ?? Qcow2CreateOptions.Default, overwrite, options, progress, cancellationToken);
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
        if (options.OnlyWithin is not null)
        {
            throw new ArgumentException("Parts of a disk are copied into a new QCOW2 image only.", nameof(options));
        }

        RequireFitting(source, destination);
        source.EnsureReadable();
        destination.EnsureReadable();
        using CopyTarget target = destination.TargetOfCopy(isZero, options);
        ConversionResult result = DiskCopy.Run(source, target, options, progress, cancellationToken);
        destination.Flush();
        return result;
    }

    private static ConversionOptions Checked(ConversionOptions? options)
    {
        options ??= ConversionOptions.Default;
        options.Check();
        return options;
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

        source.RequireOther(destination.Path);
        destination.RequireOther(source.Path);
    }
}

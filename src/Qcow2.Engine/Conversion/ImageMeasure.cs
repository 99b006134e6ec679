namespace Qcow2.Engine.Conversion;

/// <summary>
/// Says how much space a new image would take, as <c>qemu-img measure</c> does. Tables are read, data is not, so that no
/// passphrase is needed.
/// </summary>
/// <remarks>
/// The numbers are QEMU's. They hold whatever compression may save, count an external data file together with the image, and
/// count nothing as shared with a backing file of the new image.
/// </remarks>
public static class ImageMeasure
{
    /// <summary>Measures a new file with an empty disk.</summary>
    /// <param name="size">Size of the virtual disk, in bytes.</param>
    /// <param name="options">The format and its layout. A passphrase is not needed.</param>
    /// <exception cref="ArgumentException">The options contradict each other or the format, or the size is negative.</exception>
    /// <exception cref="Qcow2Exception">The disk is larger than the layout allows.</exception>
    public static Qcow2MeasureResult Of(long size, DiskCreateOptions options) => options.Measure(size, null, null, default);

    /// <summary>Measures a new file that a disk would be converted to.</summary>
    /// <param name="source">The disk.</param>
    /// <param name="options">The format and its layout. A passphrase is not needed.</param>
    /// <param name="bitmapSource">The image whose bitmaps count; null to take the source's, which a snapshot's disk does not know.</param>
    /// <param name="cancellationToken">Stops the search for data, which takes long only in large or distant files.</param>
    /// <exception cref="ArgumentException">The options contradict each other or the format.</exception>
    /// <exception cref="Qcow2Exception">The disk is larger than the layout allows, or the source's tables are damaged.</exception>
    /// <exception cref="IOException">The host could not read.</exception>
    public static Qcow2MeasureResult Of(
        VirtualDisk source, DiskCreateOptions options, VirtualDisk? bitmapSource = null, CancellationToken cancellationToken = default)
        => options.Measure(source.Length, source, bitmapSource, cancellationToken);

    /// <summary>Measures a new, empty QCOW2 image.</summary>
    /// <param name="size">Size of the virtual disk, in bytes.</param>
    /// <param name="options">The layout; null for <see cref="Qcow2CreateOptions.Default"/>. A passphrase is not needed.</param>
    /// <exception cref="ArgumentException">The options contradict each other or the format.</exception>
    /// <exception cref="Qcow2Exception">The disk is larger than the layout allows.</exception>
    public static Qcow2MeasureResult ForSize(long size, Qcow2CreateOptions? options = null) => Of(size, options ?? Qcow2CreateOptions.Default);

    /// <summary>Measures a QCOW2 image that a disk would be converted to.</summary>
    /// <param name="source">The disk.</param>
    /// <param name="options">The layout; null for <see cref="Qcow2CreateOptions.Default"/>. A passphrase is not needed.</param>
    /// <param name="bitmapSource">The image whose bitmaps count; null to take the source's, which a snapshot's disk does not know.</param>
    /// <param name="cancellationToken">Stops the search for data, which takes long only in large or distant files.</param>
    /// <exception cref="ArgumentException">The options contradict each other or the format.</exception>
    /// <exception cref="Qcow2Exception">The disk is larger than the layout allows, or the source's tables are damaged.</exception>
    /// <exception cref="IOException">The host could not read.</exception>
    public static Qcow2MeasureResult ForDisk(
        VirtualDisk source, Qcow2CreateOptions? options = null, Qcow2Image? bitmapSource = null, CancellationToken cancellationToken = default)
        => Of(source, options ?? Qcow2CreateOptions.Default, bitmapSource, cancellationToken);

    /// <summary>Measures a raw image.</summary>
    /// <param name="size">Size of the disk, in bytes; QEMU's disks have whole sectors of 512.</param>
    /// <exception cref="ArgumentException">The size is negative.</exception>
    /// <exception cref="Qcow2Exception">No file can be as large.</exception>
    public static Qcow2MeasureResult ForRaw(long size) => Of(size, RawCreateOptions.Default);

    /// <summary>Measures a raw image that a disk would be converted to. Holes are not deducted, as QEMU does not.</summary>
    /// <param name="source">The disk.</param>
    public static Qcow2MeasureResult ForRaw(VirtualDisk source) => Of(source, RawCreateOptions.Default);
}

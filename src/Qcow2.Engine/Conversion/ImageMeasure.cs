using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Bitmaps;
using Qcow2.Engine.Formats.Qcow2.Creation;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Metadata;

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
    private const int SectorSize = 512;

    /// <summary>Measures a new, empty QCOW2 image.</summary>
    /// <param name="size">Size of the virtual disk, in bytes.</param>
    /// <param name="options">The layout; null for <see cref="Qcow2CreateOptions.Default"/>. A passphrase is not needed.</param>
    /// <exception cref="ArgumentException">The options contradict each other or the format.</exception>
    /// <exception cref="Qcow2Exception">The disk is larger than the layout allows.</exception>
    public static Qcow2MeasureResult ForSize(long size, Qcow2CreateOptions? options = null)
        => Qcow2(size, options ?? Qcow2CreateOptions.Default, _ => 0);

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
    {
        options ??= Qcow2CreateOptions.Default;

        // Nobody knows how much of the source a backing file has already; QEMU takes it that it has nothing.
        Qcow2MeasureResult result = Qcow2(source.Length, options, geometry => options.BackingFile is null
            ? DataClusters.Count(source, geometry.ClusterBits, cancellationToken) << geometry.ClusterBits
            : AlignUp(source.Length, geometry.ClusterSize));
        result.Path = source.Path;
        bitmapSource ??= source as Qcow2Image;
        if (options.Version >= 3 && bitmapSource is { Header.Version: >= 3 })
        {
            result.BitmapsBytes = BitmapsBytes(bitmapSource, options.ClusterSize);
        }

        return result;
    }

    /// <summary>Measures a raw image.</summary>
    /// <param name="size">Size of the disk, in bytes; QEMU's disks have whole sectors of 512.</param>
    /// <exception cref="ArgumentException">The size is negative.</exception>
    /// <exception cref="Qcow2Exception">No file can be as large.</exception>
    public static Qcow2MeasureResult ForRaw(long size)
    {
        if (size < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(size), size, "A disk's size is 0 bytes or more.");
        }

        if (size > long.MaxValue - SectorSize)
        {
            throw Qcow2Errors.Limit("The size of the disk", (ulong)size, long.MaxValue - SectorSize, "bytes");
        }

        long bytes = AlignUp(size, SectorSize);
        return new Qcow2MeasureResult { Size = size, DestinationFormat = "raw", RequiredBytes = bytes, FullyAllocatedBytes = bytes };
    }

    /// <summary>Measures a raw image that a disk would be converted to. Holes are not deducted, as QEMU does not.</summary>
    /// <param name="source">The disk.</param>
    public static Qcow2MeasureResult ForRaw(VirtualDisk source)
    {
        Qcow2MeasureResult result = ForRaw(source.Length);
        result.Path = source.Path;
        return result;
    }

    private static Qcow2MeasureResult Qcow2(long size, Qcow2CreateOptions options, Func<ClusterGeometry, long> dataBytesFor)
    {
        (ClusterGeometry geometry, RefcountOrder refcounts) = ImageCreator.CheckLayout(size, options);
        long diskBytes = AlignUp(size, geometry.ClusterSize);
        long metadata = FullLayout.MetadataClusters(size, geometry, refcounts) << geometry.ClusterBits;
        if (options.Encryption == EncryptionMethod.Luks)
        {
            metadata += AlignUp(LuksFormatter.AreaLength, geometry.ClusterSize);
        }

        bool isWritten = options.Preallocation is Preallocation.Falloc or Preallocation.Full;
        return new Qcow2MeasureResult
        {
            Size = size,
            DestinationFormat = "qcow2",
            RequiredBytes = metadata + (isWritten ? diskBytes : dataBytesFor(geometry)),
            FullyAllocatedBytes = metadata + diskBytes,
        };
    }

    /// <summary>All data of the bitmaps in clusters of the destination's, their tables and the directory. One that is in use counts, too.</summary>
    private static long BitmapsBytes(Qcow2Image image, int clusterSize)
    {
        long bytes = 0;
        long directory = 0;
        foreach (BitmapDirectoryEntry bitmap in image.Bitmaps)
        {
            long dataClusters = (DirtyBitmap.CountFor(image.Length, bitmap.GranularityBits) + (clusterSize * 8L) - 1) / (clusterSize * 8L);
            bytes += (dataClusters * clusterSize) + AlignUp(dataClusters * BitmapTableEntry.Length, clusterSize);
            directory += bitmap.TotalLength - AlignUp(bitmap.ExtraData.Length, 8);
        }

        return bytes + AlignUp(directory, clusterSize);
    }

    private static long AlignUp(long value, long unit) => (value + unit - 1) & -unit;
}

using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Bitmaps;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Metadata;

namespace Qcow2.Engine.Formats.Qcow2.Creation;

/// <summary>How much space a new image would take, in QEMU's numbers.</summary>
internal static class Qcow2Measure
{
    internal static Qcow2MeasureResult ForDisk(VirtualDisk source, Qcow2CreateOptions options, Qcow2Image? bitmapSource, CancellationToken cancellationToken)
    {
        // Nobody knows how much of the source a backing file has already; QEMU takes it that it has nothing.
        Qcow2MeasureResult result = ForSize(source.Length, options, geometry => options.BackingFile is null
            ? DataClusters.Count(source, geometry.ClusterSize, cancellationToken) << geometry.ClusterBits
            : AlignUp(source.Length, geometry.ClusterSize));
        result.Path = source.Path;
        if (options.Version >= 3 && bitmapSource is { Header.Version: >= 3 })
        {
            result.BitmapsBytes = BitmapsBytes(bitmapSource, options.ClusterSize);
        }

        return result;
    }

    internal static Qcow2MeasureResult ForSize(long size, Qcow2CreateOptions options, Func<ClusterGeometry, long> dataBytesFor)
    {
        (ClusterGeometry geometry, RefcountOrder refcounts) = ImageCreator.CheckLayout(size, options);
        long diskBytes = AlignUp(size, geometry.ClusterSize);
        long metadata = FullLayout.MetadataClusters(size, geometry, refcounts) << geometry.ClusterBits;
        if (options.Encryption == EncryptionMethod.Luks)
        {
            metadata += AlignUp(LuksPlan.Of(options.Luks).AreaLength, geometry.ClusterSize);
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

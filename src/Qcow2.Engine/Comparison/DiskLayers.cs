using Qcow2.Engine.Disks;

namespace Qcow2.Engine.Comparison;

/// <summary>The disks of a backing chain, as extents number them.</summary>
internal sealed class DiskLayers
{
    private readonly List<Layer> _layers = [];

    internal DiskLayers(VirtualDisk top)
    {
        for (VirtualDisk? disk = top; disk is not null; disk = disk.Backing)
        {
            _layers.Add(new Layer(disk.Origin, disk.HasPlaceForAll, disk.Backing is not null));
        }
    }

    /// <summary>
    /// Whether data of two disks, at the same offset of both, is the same without a look at it: both take it from one table, or
    /// from one place of one file.
    /// </summary>
    internal static bool AreSame(DiskLayers layers, DiskExtent extent, DiskLayers others, DiskExtent other)
    {
        // The legacy method of QCOW2 has no key of its own: what a cluster decrypts to depends on the passphrase that each was opened with.
        if (layers.OriginOf(extent) is not { Encryption: not DiskEncryption.KeyOfOpener } origin
            || others.OriginOf(other) is not { Encryption: not DiskEncryption.KeyOfOpener } otherOrigin)
        {
            return false;
        }

        if (origin.IsProvenSameAs(otherOrigin))
        {
            return true;
        }

        bool isReadAlike = origin.Encryption == DiskEncryption.None
            ? otherOrigin.Encryption == DiskEncryption.None
            : otherOrigin.Encryption == origin.Encryption && otherOrigin.HasImageOf(origin);
        return isReadAlike
            && origin.HasDataOf(otherOrigin)
            && !extent.IsCompressed && !other.IsCompressed
            && extent.HostOffset is long host && other.HostOffset is long otherHost
            && host - extent.Offset == otherHost - other.Offset;
    }

    /// <summary>
    /// The status of a stretch as <c>qemu-img compare -s</c> sees it. Measured with qemu-img 7.2: compressed and encrypted data has no
    /// place in its eyes, holes of a raw file have one, and zeros past the end of a backing file count as allocated.
    /// </summary>
    internal BlockStatus StatusOf(DiskExtent extent)
    {
        Layer layer = extent.Depth < _layers.Count ? _layers[extent.Depth] : default;
        BlockStatus zero = extent.Kind == ExtentKind.Data ? BlockStatus.None : BlockStatus.Zero;
        if (layer.HasPlaceForAll)
        {
            return zero | BlockStatus.Allocated | BlockStatus.Placed;
        }

        if (extent.Kind == ExtentKind.Unallocated)
        {
            return layer.HasBacking ? zero | BlockStatus.Allocated : zero;
        }

        bool isEncrypted = layer.Origin is { Encryption: not DiskEncryption.None };
        return zero | BlockStatus.Allocated | (extent.HostOffset is null || isEncrypted ? BlockStatus.None : BlockStatus.Placed);
    }

    private DiskOrigin? OriginOf(DiskExtent extent) => extent.Depth < _layers.Count ? _layers[extent.Depth].Origin : null;

    private readonly record struct Layer(DiskOrigin? Origin, bool HasPlaceForAll, bool HasBacking);
}

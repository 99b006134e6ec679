namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>The geometry that a descriptor records, as VMware computes it. It is whole cylinders, so that it may be smaller than the disk.</summary>
/// <param name="Cylinders">Cylinders.</param>
/// <param name="Heads">Heads.</param>
/// <param name="Sectors">Sectors of a track.</param>
internal readonly record struct VmdkNewGeometry(long Cylinders, int Heads, int Sectors)
{
    private const long MaxIdeCylinders = 16_383;
    private const long OneGibibyte = (1L << 30) / VmdkLimits.SectorSize;

    /// <summary>The geometry of a disk of so many sectors.</summary>
    internal static VmdkNewGeometry Of(long sectors, VmdkAdapterType adapter)
    {
        (int heads, int perTrack) = adapter == VmdkAdapterType.Ide ? (16, 63)
            : sectors < OneGibibyte ? (64, 32)
            : sectors < 2 * OneGibibyte ? (128, 32)
            : (255, 63);
        long cylinders = Math.Max(1, sectors / (heads * perTrack));
        return new VmdkNewGeometry(adapter == VmdkAdapterType.Ide ? Math.Min(cylinders, MaxIdeCylinders) : cylinders, heads, perTrack);
    }
}

using Qcow2.Engine.Partitions.FileSystems;

namespace Qcow2.Engine.Partitions;

/// <summary>
/// Looks for what lies in a partition. Arrays, LVM and encryption come before file systems, for these may show through them; of file systems there must
/// be one: <c>blkid -p</c> decides in the same way, and names nothing where several are found.
/// </summary>
internal static class VolumeSignatures
{
    /// <summary>The size of a floppy disk: of something that small the first mark counts, as with blkid.</summary>
    private const long Tiny = 1440 << 10;

    private static readonly Func<VolumeBytes, VolumeSignature?>[] Containers = [LinuxRaid.Probe, Lvm.Probe, Luks.Probe, BitLocker.Probe, Zfs.Probe];

    private static readonly Func<VolumeBytes, VolumeSignature?>[] FileSystems =
    [
        Fat.Probe, Swap.Probe, Xfs.Probe, Ext.Probe, Udf.Probe, Iso9660.Probe, HfsPlus.Probe, Ntfs.Probe, Refs.Probe, SquashFs.Probe, Btrfs.Probe, ExFat.Probe, F2fs.Probe, Apfs.Probe, Erofs.Probe,
    ];

    /// <summary>What lies there; null for nothing that is known.</summary>
    /// <param name="volume">The bytes.</param>
    /// <param name="problem">Why nothing can be said though there are marks.</param>
    internal static VolumeSignature? Of(VolumeBytes volume, out string? problem)
    {
        problem = null;
        foreach (Func<VolumeBytes, VolumeSignature?> probe in Containers)
        {
            if (probe(volume) is VolumeSignature container)
            {
                return container;
            }
        }

        var found = new List<VolumeSignature>();
        foreach (Func<VolumeBytes, VolumeSignature?> probe in FileSystems)
        {
            if (probe(volume) is VolumeSignature one)
            {
                found.Add(one);
                if (volume.Length <= Tiny)
                {
                    return one;
                }
            }
        }

        if (found.Count > 1 && !found.TrueForAll(one => one.SharesPlace))
        {
            problem = $"It bears the marks of {string.Join(" and ", found.Select(one => one.Type))}, of which one is left over from before: what lies there is not certain.";
            return null;
        }

        return found.Count == 0 ? null : found[0];
    }
}

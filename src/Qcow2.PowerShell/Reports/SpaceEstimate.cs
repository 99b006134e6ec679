using Qcow2.Engine;
using Qcow2.Engine.Format;

namespace Qcow2.PowerShell.Reports;

/// <summary>What is to be gained from an image, by what its metadata says.</summary>
/// <remarks>
/// Reclaimable is what the file takes on its disk and no cluster in use needs: clusters that were freed and kept, and, after a check, those that leaked. That is what Optimize-Qcow2Image
/// leaves out without looking at data; clusters of zeros, and those that the backing file has, too, come on top of it, so that the number is a lower bound.
/// </remarks>
internal static class SpaceEstimate
{
    /// <summary>From how much on it is worth a word, beside a fifth of the file.</summary>
    internal const long Notable = 16L << 20;

    /// <summary>What Optimize-Qcow2Image gives back at least.</summary>
    /// <param name="info">The image.</param>
    /// <param name="used">Bytes of the clusters in use; null where that is not known.</param>
    /// <param name="leaked">Bytes of them that a check found to be leaked.</param>
    /// <returns>Null where that is not known, or the image is one that it refuses.</returns>
    internal static long? Reclaimable(Qcow2ImageInfo info, long? used, long leaked)
    {
        if (used is not long inUse || !IsOptimized(info))
        {
            return null;
        }

        // What the host rounds, and its own bookkeeping, is no gain; neither is what compaction would not replace a file for.
        long gain = info.AllocatedSize - Math.Max(0, inUse - leaked);
        return gain > Math.Max(info.ClusterSize ?? 0, info.AllocatedSize / 100) ? gain : 0;
    }

    /// <summary>Says why a file is larger than its content needs.</summary>
    /// <param name="info">The image.</param>
    /// <param name="reclaimable">What is to be gained; null where that is not known.</param>
    /// <returns>Null if it is not.</returns>
    internal static string? Overgrown(Qcow2ImageInfo info, long? reclaimable)
    {
        if (reclaimable is long gain && gain >= Notable && gain >= info.AllocatedSize / 5)
        {
            return $"{ReportText.Share(gain, info.AllocatedSize)} of what it takes on its disk ({ReportText.Size(gain)}) holds nothing that is in use.";
        }

        long size = Math.Max(0, info.Size);
        long most = size > long.MaxValue / 2 ? long.MaxValue : size + (size / 10) + Notable;
        return info.AllocatedSize > most
            ? $"It takes {ReportText.Size(info.AllocatedSize)} for a disk of {ReportText.Size(size)}" + (info.Snapshots.Length > 0 ? $", with {ReportText.Count(info.Snapshots.Length, "snapshot")}." : ".")
            : null;
    }

    /// <summary>Whether Optimize-Qcow2Image takes such an image.</summary>
    private static bool IsOptimized(Qcow2ImageInfo info)
        => info.Format == "qcow2" && info.DataFile is null && info.EncryptionMethod is EncryptionMethod.None or EncryptionMethod.Luks
            && !info.Snapshots.Any(snapshot => snapshot.VmStateSize > 0);
}

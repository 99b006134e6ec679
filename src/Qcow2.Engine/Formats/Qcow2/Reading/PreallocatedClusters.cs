using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Reading;

/// <summary>Tells whether an image has taken clusters in advance that the host has given no space to yet.</summary>
internal static class PreallocatedClusters
{
    /// <summary>
    /// Whether clearly more clusters are in use than the file takes space for. The numbers are QEMU's, which looks for holes in
    /// such images only: a ninth more, and two clusters at least.
    /// </summary>
    internal static bool Exist(BlockStorage image, Qcow2Header header, CancellationToken cancellationToken)
    {
        long clusters = (image.Length + header.ClusterSize - 1) >> header.ClusterBits;
        long backed = image.AllocatedLength >> header.ClusterBits;
        long threshold = Math.Max(backed * 10 / 9, backed + 2);
        if (clusters < threshold)
        {
            return false;
        }

        try
        {
            var refcounts = RefcountStore.Load(image, header, 1 << 20);
            long used = 0;
            for (long cluster = 0; cluster < clusters && used < threshold; cluster++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                used += refcounts.Get(cluster) == 0 ? 0 : 1;
            }

            return used >= threshold;
        }
        catch (Qcow2Exception)
        {
            return false; // Refcounts do not matter to readers: what is said to be data counts as data.
        }
    }
}

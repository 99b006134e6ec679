using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <content>Letting the tables show what was written, or taking it back.</content>
internal sealed partial class DiskWriter
{
    private void Publish(WritePlan plan)
    {
        try
        {
            _map.PrepareToSet(plan.Start, plan.Count);
        }
        catch
        {
            Abandon(plan);
            throw;
        }

        ChangeMap(() => SetEntries(plan));
        Forget(plan);
    }

    private void SetEntries(WritePlan plan)
    {
        for (int i = 0; i < plan.Count; i++)
        {
            long guest = plan.Start + ((long)i << ClusterBits);
            (L2Entry oldEntry, SubclusterBitmap oldBitmap) = plan.Old[i];
            long host = plan.HostOffset + ((long)i << ClusterBits);
            _map.SetEntry(guest, L2Entry.Standard(host, isCopied: true), NewBitmap(plan, oldBitmap));
            if (!plan.KeepsHost)
            {
                QueueDecrements(oldEntry, guest);
            }
        }
    }

    private SubclusterBitmap NewBitmap(WritePlan plan, SubclusterBitmap old)
    {
        if (!_geometry.IsExtendedL2)
        {
            return default;
        }

        if (plan.Content is SubclusterBitmap content)
        {
            return new SubclusterBitmap(content.Allocated, content.Zero | (old.Zero & ~content.Allocated));
        }

        int first = (int)((plan.SpanStart - plan.Start) >> _geometry.SubclusterBits);
        int count = (int)((plan.SpanEnd - plan.SpanStart) >> _geometry.SubclusterBits);
        uint written = (uint)(((1UL << count) - 1) << first);
        uint kept = plan.KeepsHost ? old.Allocated : 0;
        return new SubclusterBitmap(kept | written, old.Zero & ~written);
    }

    /// <summary>Counts one reference less to each host cluster that an entry referred to.</summary>
    private void QueueDecrements(L2Entry entry, long guestOffset)
    {
        switch (_map.StateOf(entry, guestOffset))
        {
            case ClusterState.Compressed:
                CompressedClusterDescriptor compressed = entry.CompressedCluster(ClusterBits);
                long last = (compressed.HostOffset + compressed.Length - 1) >> ClusterBits;
                for (long cluster = compressed.HostOffset >> ClusterBits; cluster <= last; cluster++)
                {
                    _refcounts.QueueDecrement(cluster);
                }

                break;
            case ClusterState.Data or ClusterState.ZeroAllocated when !HasDataFile:
                QueueDecrement(entry.Offset, entry.IsCopied);
                break;
        }
    }

    private void QueueDecrement(long hostOffset, bool isCopied)
    {
        if (isCopied)
        {
            _refcounts.QueueDecrement(hostOffset >> ClusterBits);
        }
        else
        {
            _refcounts.QueueSharedDecrement(hostOffset >> ClusterBits);
        }
    }

    private void Abandon(WritePlan plan)
    {
        try
        {
            if (!plan.KeepsHost)
            {
                _refcounts.Release(plan.HostOffset >> ClusterBits, plan.Count);
            }
        }
        finally
        {
            Forget(plan); // Or others would wait for it for ever.
        }
    }

    private void Forget(WritePlan plan)
    {
        long first = plan.Start >> ClusterBits;
        for (int i = 0; i < plan.Count; i++)
        {
            _inFlight.Remove(first + i);
        }

        Monitor.PulseAll(_gate);
    }
}

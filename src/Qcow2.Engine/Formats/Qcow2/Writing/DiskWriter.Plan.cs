using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <content>Where what has no place yet will go.</content>
internal sealed partial class DiskWriter
{
    private WritePlan? MakePlan(long offset, int length)
    {
        long first = offset >> ClusterBits;
        if (_inFlight.Contains(first))
        {
            Monitor.Wait(_gate);
            return null;
        }

        if (_map.FindInPlace(offset, 1).Length > 0)
        {
            return null; // Another thread was here first.
        }

        EnsureTable(offset);
        (L2Entry entry, SubclusterBitmap bitmap) = _map.GetEntry(offset);
        bool keepsHost = KeepsHost(entry, offset);
        WritePlan plan = _geometry.IsExtendedL2
            ? PlanSubclusters(offset, length, entry, bitmap, keepsHost)
            : PlanClusters(offset, length, keepsHost);
        for (int i = 0; i < plan.Count; i++)
        {
            _inFlight.Add(first + i);
        }

        return plan;
    }

    /// <summary>Whether a cluster already has a host cluster that is its own.</summary>
    private bool KeepsHost(L2Entry entry, long offset)
        => HasDataFile
            || (_map.StateOf(entry, offset) is ClusterState.Data or ClusterState.ZeroAllocated && entry.IsCopied);

    private WritePlan PlanClusters(long offset, int length, bool keepsHost)
    {
        long start = offset & ~((long)ClusterSize - 1);
        int maxBytes = IsEncrypted ? MaxEncryptedRunBytes : MaxRunBytes;
        long tableEnd = ((offset >> _geometry.L1CoverageBits) + 1) << _geometry.L1CoverageBits;
        long wantedEnd = Math.Min(Math.Min(offset + length, tableEnd), start + Math.Max(ClusterSize, maxBytes));
        int wanted = (int)((wantedEnd - start + ClusterSize - 1) >> ClusterBits);

        var old = new List<(L2Entry Entry, SubclusterBitmap Bitmap)>(wanted) { _map.GetEntry(offset) };
        while (old.Count < wanted)
        {
            long next = start + ((long)old.Count << ClusterBits);
            (L2Entry Entry, SubclusterBitmap Bitmap) candidate = _map.GetEntry(next);
            bool joins = !_inFlight.Contains(next >> ClusterBits)
                && _map.FindInPlace(next, 1).Length == 0
                && KeepsHost(candidate.Entry, next) == keepsHost
                && (!keepsHost || HasDataFile);
            if (!joins)
            {
                break;
            }

            old.Add(candidate);
        }

        (long host, int count, bool isFresh) = Place(start, old[0].Entry, old.Count, keepsHost);
        long end = start + ((long)count << ClusterBits);
        return new WritePlan
        {
            Start = start,
            Count = count,
            HostOffset = host,
            IsFresh = isFresh,
            KeepsHost = keepsHost,
            Old = old,
            SpanStart = start,
            SpanEnd = end,
            DataOffset = offset,
            DataLength = Math.Min(length, end - offset),
        };
    }

    private WritePlan PlanSubclusters(long offset, int length, L2Entry entry, SubclusterBitmap bitmap, bool keepsHost)
    {
        long start = offset & ~((long)ClusterSize - 1);
        int first = (int)((offset - start) >> _geometry.SubclusterBits);
        long dataEnd = Math.Min(offset + length, start + ClusterSize);
        int last = (int)((dataEnd - 1 - start) >> _geometry.SubclusterBits);
        if (keepsHost)
        {
            // Allocated subclusters further on are written where they lie, with no plan.
            uint taken = bitmap.Allocated >> first;
            int free = first;
            while (free <= last && (taken & 1) == 0)
            {
                taken >>= 1;
                free++;
            }

            last = free - 1;
            dataEnd = Math.Min(dataEnd, start + ((long)(last + 1) << _geometry.SubclusterBits));
        }
        else if (entry.IsCompressed)
        {
            (first, last) = (0, SubclusterBitmap.Count - 1);
        }
        else
        {
            // The data leaves a cluster that others share: all of it comes along.
            for (int i = 0; i < SubclusterBitmap.Count; i++)
            {
                if ((bitmap.Allocated & (1u << i)) != 0)
                {
                    first = Math.Min(first, i);
                    last = Math.Max(last, i);
                }
            }
        }

        (long host, _, bool isFresh) = Place(start, entry, 1, keepsHost);
        return new WritePlan
        {
            Start = start,
            Count = 1,
            HostOffset = host,
            IsFresh = isFresh,
            KeepsHost = keepsHost,
            Old = [(entry, bitmap)],
            SpanStart = start + ((long)first << _geometry.SubclusterBits),
            SpanEnd = start + ((long)(last + 1) << _geometry.SubclusterBits),
            DataOffset = offset,
            DataLength = dataEnd - offset,
        };
    }

    private (long Host, int Count, bool IsFresh) Place(long start, L2Entry entry, int wanted, bool keepsHost)
    {
        if (HasDataFile)
        {
            return (start, wanted, false);
        }

        if (keepsHost)
        {
            CheckOverlap(entry.Offset, ClusterSize);
            return (entry.Offset, 1, false);
        }

        long host = _refcounts.Allocate(wanted, out int count, out bool isFresh) << ClusterBits;
        try
        {
            CheckOverlap(host, (long)count << ClusterBits);
        }
        catch
        {
            _refcounts.Release(host >> ClusterBits, count);
            throw;
        }

        return (host, count, isFresh);
    }
}

using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Makes a new refcount table and blocks from what was counted, past the end of everything, and switches to them with one write
/// into the header's first sector. Until then the old structure is as it was; from then on its place is free.
/// </summary>
internal sealed class RefcountRebuild(AuditContext context, Action beforeWrite, CancellationToken cancellationToken)
{
    private readonly RefcountOrder _order = context.Header.RefcountOrder;
    private readonly int _clusterSize = context.Header.ClusterSize;
    private readonly int _perBlock = context.Header.RefcountOrder.EntriesPerBlock(context.Header.ClusterSize);
    private readonly Dictionary<long, long> _old = [];

    /// <summary>Makes the structure.</summary>
    /// <returns>False if there is no place for it, because something else is said to lie past the end of the file.</returns>
    /// <exception cref="IOException">The image lies on a device that is too small.</exception>
    /// <exception cref="Qcow2Exception">A refcount table for a file of this length would pass QEMU's limit.</exception>
    internal bool Run()
    {
        foreach ((long offset, long length) in context.RefcountStructure)
        {
            for (long cluster = offset >> context.Header.ClusterBits; cluster <= (offset + length - 1) >> context.Header.ClusterBits; cluster++)
            {
                _old[cluster] = (_old.TryGetValue(cluster, out long known) ? known : 0) + 1;
            }
        }

        long start = RefcountAudit.FirstFree(context);
        SortedSet<long> blocks = BlocksInUse(start);
        long tableClusters = 1;
        long end;
        do
        {
            end = start + blocks.Count + tableClusters;
            tableClusters = DivideUp(DivideUp(end, _perBlock) * RefcountTableEntry.Length, _clusterSize);
            for (long block = start / _perBlock; block <= (end - 1) / _perBlock; block++)
            {
                blocks.Add(block);
            }
        }
        while (end != start + blocks.Count + tableClusters);

        long tableBytes = tableClusters << context.Header.ClusterBits;
        if (tableBytes > Qcow2Limits.MaxRefcountTableBytes)
        {
            throw Qcow2Errors.Limit("The refcount table's size", (ulong)tableBytes, (ulong)Qcow2Limits.MaxRefcountTableBytes, "bytes");
        }

        // The old table may be said to lie there, but it is this that takes its place.
        if (!context.IsUnclaimed(start << context.Header.ClusterBits, end << context.Header.ClusterBits))
        {
            return false;
        }

        context.Image.RequireRoom(end << context.Header.ClusterBits);
        beforeWrite();
        Write(start, end, blocks, tableBytes);
        return true;
    }

    private static long DivideUp(long value, long unit) => (value + unit - 1) / unit;

    private void Write(long start, long end, SortedSet<long> blocks, long tableBytes)
    {
        ulong[] table = new ulong[tableBytes / RefcountTableEntry.Length];
        byte[] content = new byte[_clusterSize];
        long place = start << context.Header.ClusterBits;
        foreach (long block in blocks)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Fill(content, block * _perBlock, start, end);
            context.Image.Write(place, content);
            table[block] = (ulong)place;
            place += _clusterSize;
        }

        BigEndianTable.Write(context.Image, place, table);
        context.Image.Flush();
        RepairSpace.LeadToRefcountTable(context.Image, place, (int)(tableBytes / _clusterSize));
    }

    private void Fill(byte[] content, long first, long start, long end)
    {
        Array.Clear(content, 0, content.Length);
        for (long cluster = first; cluster < Math.Min(first + _perBlock, end); cluster++)
        {
            ulong wanted = cluster < start ? Wanted(cluster) : 1;
            if (wanted != 0)
            {
                _order.Write(content, (int)(cluster - first), wanted);
            }
        }
    }

    private ulong Wanted(long cluster)
    {
        long references = context.References[cluster] - (_old.TryGetValue(cluster, out long old) ? old : 0);
        return references > 0 ? Math.Min((ulong)references, _order.MaxValue) : context.IsKept(cluster) ? 1UL : 0;
    }

    private SortedSet<long> BlocksInUse(long start)
    {
        var blocks = new SortedSet<long>();
        for (int page = 0; page < context.References.Pages; page++)
        {
            ReadOnlySpan<byte> counts = context.References.Page(page);
            if (counts.IsEmpty && !context.HasKept)
            {
                continue;
            }

            long first = (long)page << ReferenceCounts.PageBits;
            for (int i = 0; i < ReferenceCounts.PageLength && first + i < start; i++)
            {
                if ((!counts.IsEmpty && counts[i] != 0) || context.IsKept(first + i))
                {
                    // The rest of the block need not be looked at.
                    long block = (first + i) / _perBlock;
                    blocks.Add(block);
                    i = (int)Math.Min(ReferenceCounts.PageLength, ((block + 1) * _perBlock) - first) - 1;
                }
            }
        }

        return blocks;
    }
}

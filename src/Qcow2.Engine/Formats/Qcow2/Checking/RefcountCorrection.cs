using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>Puts refcounts right where they lie.</summary>
internal sealed class RefcountCorrection(AuditContext context, Action beforeWrite, CancellationToken cancellationToken)
{
    private const int NoBlock = -1;

    /// <summary>Raises counts that are too low.</summary>
    /// <returns>Whether anything was written.</returns>
    internal bool Raise() => Run((stored, wanted) => stored < wanted);

    /// <summary>Lowers counts that are too high, but for clusters that a damaged entry may still need.</summary>
    /// <returns>Whether anything was written.</returns>
    internal bool Lower() => Run((stored, wanted) => stored > wanted);

    /// <summary>
    /// Clears counts of clusters past the end of the file, which a file that was cut off leaves. They would be leaks as soon as it
    /// grew again. Nothing may be said to lie there.
    /// </summary>
    /// <returns>Whether anything was written.</returns>
    internal bool ClearPastEnd()
    {
        long first = RefcountAudit.ClustersInUse(context);
        if (context.HasClaims)
        {
            return false;
        }

        RefcountOrder order = context.Header.RefcountOrder;
        int perBlock = order.EntriesPerBlock(context.Header.ClusterSize);
        byte[] block = new byte[context.Header.ClusterSize];
        bool hasWritten = false;
        for (long index = first / perBlock; index < context.Stored.Table.Length; index++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (OffsetOf(index) == 0)
            {
                continue;
            }

            context.Image.ReadZeroPadded(OffsetOf(index), block);
            bool hasChanged = false;
            for (long cluster = Math.Max(first, index * perBlock); cluster < (index + 1) * perBlock; cluster++)
            {
                if (order.Read(block, (int)(cluster % perBlock)) != 0)
                {
                    order.Write(block, (int)(cluster % perBlock), 0);
                    hasChanged = true;
                }
            }

            if (hasChanged)
            {
                Write(index, block);
                hasWritten = true;
            }
        }

        return hasWritten;
    }

    private bool Run(Func<ulong, ulong, bool> isDue)
    {
        RefcountOrder order = context.Header.RefcountOrder;
        int perBlock = order.EntriesPerBlock(context.Header.ClusterSize);
        byte[] block = new byte[context.Header.ClusterSize];
        long current = NoBlock;
        bool hasWritten = false;
        foreach (long cluster in RefcountAudit.Mismatches(context))
        {
            ulong wanted = RefcountAudit.Wanted(context, cluster);
            if (context.Stored.Get(cluster) is not ulong stored || !isDue(stored, wanted) || (wanted == 0 && context.IsKept(cluster)))
            {
                continue;
            }

            long index = cluster / perBlock;
            if (index != current)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Write(current, block);
                current = index;
                context.Image.ReadZeroPadded(OffsetOf(index), block);
                hasWritten = true;
            }

            order.Write(block, (int)(cluster % perBlock), wanted);
        }

        Write(current, block);
        return hasWritten;
    }

    private long OffsetOf(long index) => (long)new RefcountTableEntry(context.Stored.Table[index]).Offset;

    private void Write(long index, byte[] block)
    {
        if (index != NoBlock)
        {
            beforeWrite();
            context.Image.Write(OffsetOf(index), block);
        }
    }
}

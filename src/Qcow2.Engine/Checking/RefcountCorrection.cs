using Qcow2.Engine.Format;

namespace Qcow2.Engine.Checking;

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

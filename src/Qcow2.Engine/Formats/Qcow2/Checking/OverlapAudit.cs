namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Finds metadata that shares its cluster with something else. <c>qemu-img check</c> sees that only where the refcount does not
/// agree with it; where it agrees, the next write would still destroy the one or the other.
/// </summary>
internal static class OverlapAudit
{
    internal static void Run(AuditContext context, L2Directory tables, CancellationToken cancellationToken)
    {
        int bits = context.Geometry.ClusterBits;
        List<WeightedRange> ranges = WeightedRanges.Sweep(context.Metadata);
        foreach (WeightedRange range in ranges)
        {
            cancellationToken.ThrowIfCancellationRequested();
            for (long cluster = range.Start >> bits; cluster <= (range.End - 1) >> bits; cluster++)
            {
                Check(context, cluster, 1);
            }
        }

        context.HasDamagedSnapshots |= context.Overlaps.Count > 0
            && context.Snapshots.Any(snapshot => context.IsInFile(snapshot.Offset, snapshot.Length) && context.IsShared(snapshot.Offset, snapshot.Length, 1));

        // Both are in the order of the file.
        int next = 0;
        foreach (L2Reference table in tables.Tables)
        {
            while (next < ranges.Count && ranges[next].End <= table.Offset)
            {
                next++;
            }

            bool isKnown = next < ranges.Count && ranges[next].Start < table.Offset + context.Geometry.ClusterSize;
            if (context.Geometry.IsClusterAligned(table.Offset) && !isKnown)
            {
                Check(context, table.Offset >> bits, table.Weight);
            }
        }
    }

    private static void Check(AuditContext context, long cluster, long own)
    {
        long references = context.References[cluster];
        if (references <= own)
        {
            return;
        }

        // Where the refcount is too low, that was counted already.
        ulong counted = Math.Min((ulong)references, context.Header.RefcountOrder.MaxValue);
        bool isCounted = context.KnownOverlaps.Contains(cluster) || counted < (ulong)references || context.Stored.Get(cluster) is not ulong stored || stored < counted;
        context.Overlaps.Add(cluster);
        context.Log.Add(
            CheckStage.Overlaps.At(cluster),
            isCounted ? Qcow2CheckSeverity.Information : Qcow2CheckSeverity.Corruption,
            1,
            () => new Qcow2CheckFinding
            {
                Kind = Qcow2CheckFindingKind.MetadataOverlap,
                Offset = cluster << context.Geometry.ClusterBits,
                Cluster = cluster,
                Table = "Metadata",
                Expected = (ulong)own,
                Found = (ulong)references,
                Message = $"The cluster at 0x{cluster << context.Geometry.ClusterBits:x} holds metadata, and {references - own} other "
                    + $"{(references - own == 1 ? "structure or data cluster uses" : "structures or data clusters use")} it, too.",
            });
    }
}

using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>Examines the refcount structure itself, and compares what it says with the references that were counted.</summary>
internal static class RefcountAudit
{
    /// <summary>Counts the refcount table and blocks. All other references must have been counted.</summary>
    internal static void CountStructure(AuditContext context, bool isTableUsable)
    {
        Qcow2Header header = context.Header;
        if (!isTableUsable)
        {
            context.NeedsRebuild = true;
            return;
        }

        if (!context.UseMetadata(
            CheckStage.RefcountStructure.At(-1), HeaderField.RefcountTableOffset,
            header.RefcountTableOffset, (long)header.RefcountTableClusters << header.ClusterBits, "the refcount table", isReplaceable: true))
        {
            context.NeedsRebuild = true;
        }
        else
        {
            context.RefcountStructure.Add((header.RefcountTableOffset, (long)header.RefcountTableClusters << header.ClusterBits));
        }

        ulong[] table = context.Stored.Table;
        for (int i = 0; i < table.Length; i++)
        {
            if (table[i] != 0)
            {
                CountBlock(context, i, new RefcountTableEntry(table[i]));
            }
        }

        // A table that shares its place is not written where it is.
        context.NeedsRebuild |= context.RefcountStructure.Count > 0 && context.IsShared(header.RefcountTableOffset, (long)header.RefcountTableClusters << header.ClusterBits, 1);
    }

    /// <summary>Compares counts and references of every cluster of the file.</summary>
    /// <returns>How many clusters from the start of the file on hold the last that counts as used or is.</returns>
    internal static long Compare(AuditContext context, CancellationToken cancellationToken)
    {
        long clusters = ClustersInUse(context);
        long end = 1;
        for (int page = 0; page < context.References.Pages; page++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ReadOnlySpan<byte> counted = context.References.Page(page);
            ReadOnlySpan<byte> stored = context.Stored.Page(page);
            if (counted.IsEmpty && stored.IsEmpty)
            {
                continue;
            }

            long first = (long)page << ReferenceCounts.PageBits;
            int length = (int)Math.Min(ReferenceCounts.PageLength, clusters - first);
            if (length <= 0)
            {
                break;
            }

            if (context.Stored.HasMarks(page) || counted.IsEmpty || stored.IsEmpty || !counted.Slice(0, length).SequenceEqual(stored.Slice(0, length)))
            {
                for (int i = NextMismatch(context, page, 0, length); i < length; i = NextMismatch(context, page, i + 1, length))
                {
                    CompareOne(context, first + i);
                }
            }

            int used = context.Stored.HasMarks(page)
                ? LengthOfReadable(counted, stored, length)
                : Math.Max(LengthOfUsed(counted, length), LengthOfUsed(stored, length));
            end = used > 0 ? first + used : end;
        }

        return end;
    }

    /// <summary>The clusters whose count is not what was counted, or cannot be read.</summary>
    internal static IEnumerable<long> Mismatches(AuditContext context)
    {
        long clusters = ClustersInUse(context);
        for (int page = 0; page < context.References.Pages; page++)
        {
            long first = (long)page << ReferenceCounts.PageBits;
            int length = (int)Math.Min(ReferenceCounts.PageLength, clusters - first);
            for (int i = NextMismatch(context, page, 0, length); i < length; i = NextMismatch(context, page, i + 1, length))
            {
                yield return first + i;
            }
        }
    }

    /// <summary>The count that a cluster should have, as far as the width of the counts allows it.</summary>
    internal static ulong Wanted(AuditContext context, long cluster) => Math.Min((ulong)context.References[cluster], context.Header.RefcountOrder.MaxValue);

    /// <summary>Clusters of the file, and the one after them if a structure runs into it.</summary>
    internal static long ClustersInUse(AuditContext context) => context.Clusters + (context.References[context.Clusters] > 0 ? 1 : 0);

    /// <summary>
    /// First of the clusters that a repair may write to: past the end of the file. A device cannot be lengthened, so there it is past the last
    /// cluster that has a count or a reference, or may have one. Where the counts are of no use and not all references were found, only its end is known.
    /// </summary>
    internal static long FirstFree(AuditContext context)
    {
        long end = ClustersInUse(context);
        if (!context.Image.HasFixedLength || (context.NeedsRebuild && (!context.FoundAll || context.LacksL1)))
        {
            return end;
        }

        for (int page = context.References.Pages - 1; page >= 0; page--)
        {
            ReadOnlySpan<byte> counted = context.References.Page(page);
            ReadOnlySpan<byte> stored = context.NeedsRebuild ? default : context.Stored.Page(page);
            if (counted.IsEmpty && stored.IsEmpty && !context.HasKept)
            {
                continue;
            }

            long first = (long)page << ReferenceCounts.PageBits;
            for (int i = (int)Math.Min(ReferenceCounts.PageLength, end - first) - 1; i >= 0; i--)
            {
                if ((!stored.IsEmpty && stored[i] != 0) || (!counted.IsEmpty && counted[i] != 0) || context.IsKept(first + i))
                {
                    return first + i + 1;
                }
            }
        }

        return end;
    }

    private static int NextMismatch(AuditContext context, int page, int start, int length)
    {
        ReadOnlySpan<byte> counted = context.References.Page(page);
        ReadOnlySpan<byte> stored = context.Stored.Page(page);
        if (counted.IsEmpty && stored.IsEmpty)
        {
            return length;
        }

        for (int i = start; i < length; i++)
        {
            byte count = counted.IsEmpty ? (byte)0 : counted[i];
            byte says = stored.IsEmpty ? (byte)0 : stored[i];
            if (count != says || says >= StoredRefcounts.Unreadable)
            {
                return i;
            }
        }

        return length;
    }

    private static void CountBlock(AuditContext context, int index, RefcountTableEntry entry)
    {
        ClusterGeometry geometry = context.Geometry;
        if (entry.ReservedBits != 0)
        {
            Report(context, index, entry, $"bits 0x{entry.ReservedBits:x} of its entry are reserved and must be 0.");
        }
        else if (entry.Offset > long.MaxValue || !geometry.IsClusterAligned((long)entry.Offset))
        {
            Report(context, index, entry, "it does not start where a cluster starts.");
        }
        else if ((long)entry.Offset >> geometry.ClusterBits >= context.Clusters)
        {
            Report(context, index, entry, $"it lies past the end of the file at 0x{context.FileLength:x}.");
        }
        else
        {
            context.UseMetadata(
                CheckStage.RefcountStructure.At(index), context.Header.RefcountTableOffset + ((long)index * RefcountTableEntry.Length),
                (long)entry.Offset, geometry.ClusterSize, $"refcount block {index}");
            context.RefcountStructure.Add(((long)entry.Offset, geometry.ClusterSize));
            long references = context.References[(long)entry.Offset >> geometry.ClusterBits];

            // Counts of one bit cannot say that a place is shared, so that it is no finding of its own. What is written into such a block would be written into the other all the same.
            context.NeedsRebuild |= references != 1;
            if (Math.Min((ulong)references, context.Header.RefcountOrder.MaxValue) != 1)
            {
                context.KnownOverlaps.Add((long)entry.Offset >> geometry.ClusterBits);
                Report(context, index, entry, $"{references} structures or clusters use the same place.");
            }
        }
    }

    private static void CompareOne(AuditContext context, long cluster)
    {
        ulong max = context.Header.RefcountOrder.MaxValue;
        ulong references = (ulong)context.References[cluster];
        if (references > max)
        {
            context.HasOverflow = true;
            ulong all = references;
            Report(context, cluster, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.RefcountOverflow, max, references, (long)(references - max),
                () => $"has {all} references, and a refcount of {context.Header.RefcountOrder.Bits} bits cannot say more than {max}; "
                    + (SharedDataRepair.CanMove(context.Header)
                        ? "Repair-Qcow2Image -Mode All gives each its own, if there is space."
                        : "only a copy of the disk cures that (Convert-Qcow2Image)."));
            references = max;
        }

        if (context.Stored.Get(cluster) is not ulong stored)
        {
            Report(context, cluster, Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.RefcountUnreadable, references, null, 1,
                () => "has a refcount that cannot be read: its block lies where none can lie.");
        }
        else if (stored < references)
        {
            context.NeedsRebuild |= stored == 0 && !HasBlock(context, cluster);
            context.HasUncountedSharing |= references > 1;
            Report(context, cluster, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.RefcountTooLow, references, stored, 1,
                () => $"has the refcount {stored}, but {references} {(references == 1 ? "reference" : "references")}.");
        }
        else if (stored > references)
        {
            Report(context, cluster, Qcow2CheckSeverity.Leak, Qcow2CheckFindingKind.ClusterLeaked, references, stored, 1,
                () => $"has the refcount {stored}, but {(references == 0 ? "no reference" : $"only {references} {(references == 1 ? "reference" : "references")}")}.");
        }
    }

    private static bool HasBlock(AuditContext context, long cluster)
    {
        long index = cluster / context.Header.RefcountOrder.EntriesPerBlock(context.Header.ClusterSize);
        return index < context.Stored.Table.Length && new RefcountTableEntry(context.Stored.Table[index]).IsUsed;
    }

    /// <summary>What has a count that cannot be read does not count as used, as in <c>qemu-img check</c>.</summary>
    private static int LengthOfReadable(ReadOnlySpan<byte> counted, ReadOnlySpan<byte> stored, int length)
    {
        while (length > 0
            && (stored[length - 1] == StoredRefcounts.Unreadable || (stored[length - 1] == 0 && (counted.IsEmpty || counted[length - 1] == 0))))
        {
            length--;
        }

        return length;
    }

    private static int LengthOfUsed(ReadOnlySpan<byte> counts, int length)
    {
        if (counts.IsEmpty)
        {
            return 0;
        }

#if NET
        return counts.Slice(0, length).LastIndexOfAnyExcept((byte)0) + 1;
#else
        while (length > 0 && counts[length - 1] == 0)
        {
            length--;
        }

        return length;
#endif
    }

    private static void Report(AuditContext context, int index, RefcountTableEntry entry, string message)
    {
        context.NeedsRebuild = true;
        long position = context.Header.RefcountTableOffset + ((long)index * RefcountTableEntry.Length);
        context.Log.Add(CheckStage.RefcountStructure.At(index, (int)Qcow2CheckFindingKind.RefcountBlockDamaged), Qcow2CheckSeverity.Corruption, 1, () => new Qcow2CheckFinding
        {
            Kind = Qcow2CheckFindingKind.RefcountBlockDamaged,
            Offset = position,
            Cluster = position >> context.Geometry.ClusterBits,
            Table = "Refcount table",
            Found = entry.Value,
            Message = $"Refcount block {index} at 0x{entry.Offset:x}: {message}",
        });
    }

    private static void Report(
        AuditContext context, long cluster, Qcow2CheckSeverity severity, Qcow2CheckFindingKind kind, ulong expected, ulong? found, long weight, Func<string> message)
        => context.Log.Add(CheckStage.Refcounts.At(cluster, (int)kind), severity, weight, () => new Qcow2CheckFinding
        {
            Kind = kind,
            Offset = cluster << context.Geometry.ClusterBits,
            Cluster = cluster,
            Table = "Refcounts",
            Expected = expected,
            Found = found,
            Message = $"The cluster at 0x{cluster << context.Geometry.ClusterBits:x} {message()}",
        });
}

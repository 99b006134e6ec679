using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>Examines the L1 tables, the active one and those of all snapshots, and finds the L2 tables by them.</summary>
internal sealed class L1Audit(AuditContext context)
{
    private const int PieceEntries = 64 * 1024;

    /// <summary>
    /// Most bytes of L2 tables at places where none can start. Where they may lie at any sector, they could be far more than the
    /// file is long.
    /// </summary>
    private const long MaxMisalignedBytes = 256L << 20;

    private long _misalignedBytes;

    internal L2Directory Directory { get; } = new(context.Geometry.ClusterSize);

    /// <summary>Examines every table.</summary>
    internal void Run(IReadOnlyList<SnapshotL1> snapshots, CancellationToken cancellationToken)
    {
        Qcow2Header header = context.Header;
        long length = (long)header.L1Size * L1Entry.Length;
        context.LacksL1 |= !context.UseMetadata(
            CheckStage.L1.At(-1), HeaderField.L1TableOffset, header.L1TableOffset, length, "the active L1 table");
        Read(header.L1TableOffset, header.L1TableOffset + length, 1, true, cancellationToken);

        var ranges = new List<(long Start, long End)>();
        for (int i = 0; i < snapshots.Count; i++)
        {
            SnapshotL1 table = snapshots[i];
            if (!context.UseMetadata(
                CheckStage.Snapshots.At(i, 100), table.Entry, table.Offset, table.Length, $"the L1 table of {table.Name}"))
            {
                context.LacksL1 = true;
                context.HasDamagedSnapshots = true;
            }
            ranges.Add((table.Offset, table.Offset + table.Length));
        }

        foreach (WeightedRange range in WeightedRanges.Sweep(ranges))
        {
            Read(range.Start, range.End, range.Weight, false, cancellationToken);
        }

        Directory.Complete();
    }

    private void Read(long start, long end, long weight, bool isActive, CancellationToken cancellationToken)
    {
        // Past the end of the file there are zeros.
        long last = Math.Min(end, context.FileLength);
        var holes = new HoleFinder(context.Image, context.IsSparse);
        ulong[] entries = new ulong[Math.Max(0, Math.Min(PieceEntries, (end - start) / L1Entry.Length))];
        for (long position = start; position < last; position += (long)PieceEntries * L1Entry.Length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = (int)Math.Min(PieceEntries, (end - position) / L1Entry.Length);
            if (holes.IsHole(position, (long)count * L1Entry.Length))
            {
                continue;
            }

            BigEndianTable.Read(context.Image, position, entries.AsSpan(0, count));
            for (int i = 0; i < count; i++)
            {
                if (entries[i] != 0)
                {
                    long at = position + ((long)i * L1Entry.Length);
                    Examine(new L1Entry(entries[i]), at, (int)((at - start) / L1Entry.Length), weight, isActive);
                }
            }
        }
    }

    private void Examine(L1Entry entry, long at, int index, long weight, bool isActive)
    {
        int clusterSize = context.Geometry.ClusterSize;
        if (entry.ReservedBits != 0)
        {
            Report(Qcow2CheckFindingKind.ReservedBits, entry, at, weight, isActive, $"bits 0x{entry.ReservedBits:x} of the entry are reserved and must be 0.");
        }

        if (!entry.IsUsed)
        {
            if (entry.IsCopied)
            {
                Report(Qcow2CheckFindingKind.CopiedFlagWrong, entry, at, weight, isActive, "the COPIED flag is set, and there is no L2 table.");
            }

            return;
        }

        bool isInFile = context.IsInFile(entry.Offset, clusterSize);
        if (isInFile)
        {
            context.Refer(entry.Offset, clusterSize, weight);
            if (entry.Offset + clusterSize > context.Image.Length && context.Geometry.IsClusterAligned(entry.Offset))
            {
                context.NoteCut(CheckStage.L1.At(isActive ? at - context.Header.L1TableOffset : at + int.MaxValue), at, entry.Offset, clusterSize, "the L2 table");
            }
        }
        else
        {
            context.NotePastEnd(entry.Offset, clusterSize);
            Report(Qcow2CheckFindingKind.PastEndOfFile, entry, at, weight, isActive,
                $"the L2 table at 0x{entry.Offset:x} lies past the end of the file at 0x{context.FileLength:x}.");
        }

        bool isAligned = context.Geometry.IsClusterAligned(entry.Offset);
        if (!isAligned)
        {
            Report(Qcow2CheckFindingKind.Misaligned, entry, at, weight, isActive, $"the L2 table at 0x{entry.Offset:x} does not start where a cluster starts.");
        }

        if (isActive && context.Stored.Get(entry.Offset >> context.Geometry.ClusterBits) is ulong count && (count == 1) != entry.IsCopied)
        {
            context.NoteWrongCopiedFlag(weight);
            Report(Qcow2CheckFindingKind.CopiedFlagWrong, entry, at, weight, isActive,
                $"the COPIED flag is {(entry.IsCopied ? "set" : "clear")}, and the refcount of the L2 table is {count}.");
        }

        if (isInFile && (isAligned || MayExamineMisaligned(entry, at, isActive)))
        {
            Directory.Add(new L2Reference(entry.Offset, isActive ? index : at + int.MaxValue, index, isActive ? weight : 0, weight));
        }
    }

    private bool MayExamineMisaligned(L1Entry entry, long at, bool isActive)
    {
        _misalignedBytes += context.Geometry.ClusterSize;
        if (_misalignedBytes <= MaxMisalignedBytes)
        {
            return true;
        }

        context.FoundAll = false;
        context.Log.Add(CheckStage.L1.At(at, 99), Qcow2CheckSeverity.Error, 1, () => Finding(
            Qcow2CheckFindingKind.Misaligned, entry, at, isActive, "too many L2 tables do not start where a cluster starts; this one was not examined."));
        return false;
    }

    private void Report(Qcow2CheckFindingKind kind, L1Entry entry, long at, long weight, bool isActive, string message)
        => context.Log.Add(CheckStage.L1.At(isActive ? at - context.Header.L1TableOffset : at + int.MaxValue, (int)kind),
            Qcow2CheckSeverity.Corruption, weight, () => Finding(kind, entry, at, isActive, message));

    private Qcow2CheckFinding Finding(Qcow2CheckFindingKind kind, L1Entry entry, long at, bool isActive, string message) => new()
    {
        Kind = kind,
        Offset = at,
        Cluster = at >> context.Geometry.ClusterBits,
        Table = isActive ? "Active L1 table" : "Snapshot L1 table",
        Found = entry.Value,
        Message = $"The {(isActive ? "active" : "snapshot's")} L1 entry at 0x{at:x}: {message}",
    };
}

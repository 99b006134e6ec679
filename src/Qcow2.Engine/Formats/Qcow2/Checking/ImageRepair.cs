using Qcow2.Engine.Disks.Checking;
using System.Buffers.Binary;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>How far a repair goes.</summary>
internal enum RepairScope
{
    /// <summary>Counts that are too high.</summary>
    Leaks,

    /// <summary>All counts and the flags that depend on them: what a writer that did not close the image leaves behind.</summary>
    Refcounts,

    /// <summary>Also entries that lead nowhere.</summary>
    All,
}

/// <summary>
/// Repairs one image.
/// </summary>
/// <remarks>
/// The steps, a flush after each. Whatever part of a step reaches the disk, no count falls below the references that were there,
/// and no flag says that a cluster is unshared while it is not:
/// <list type="number">
/// <item>L1 tables of snapshots that run on into what is not theirs are cut to the length that their disks need.</item>
/// <item>Entries that lead nowhere are dropped: counts can only be too high by that. Then everything is counted again.</item>
/// <item>COPIED flags are cleared where a cluster has another number of references than one.</item>
/// <item>Counts that are too low are raised.</item>
/// <item>Counts that are too high are lowered. Or, for both: a new refcount structure is written where nothing lies, and the
/// header's first sector leads to it.</item>
/// <item>COPIED flags are set where a cluster has one reference.</item>
/// <item>What more entries refer to than its count can say, and metadata that is data, too, is copied: the copy and its count, then
/// the entry. The next pass lowers the old count.</item>
/// <item>After a check that finds nothing, the dirty and corrupt bits are cleared.</item>
/// </list>
/// </remarks>
internal sealed class ImageRepair(
    BlockStorage image, RepairScope scope, Qcow2CheckOptions options, IProgress<Qcow2CheckProgress>? progress, CancellationToken cancellationToken)
{
    private const int MostPasses = 8;

    private readonly RepairReport _report = new();
    private CopyBudget? _budget;
    private bool _hasUncountedSharing;
    private bool _hasWritten;
    private bool _hasWrittenInPass;

    /// <summary>Checks, repairs and checks again.</summary>
    internal Qcow2CheckResult Run()
    {
        ImageAudit audit = Audit();
        Qcow2CheckResult before = audit.Result;
        if (audit.Context is null)
        {
            throw new Qcow2Exception(
                before.Findings.Any(finding => finding.Kind == Qcow2CheckFindingKind.FeatureUnknown) ? Qcow2ErrorCode.UnsupportedFeature : Qcow2ErrorCode.ImageCorrupt,
                $"The image cannot be repaired: {(before.Findings.Length > 0 ? before.Findings[before.Findings.Length - 1].Message : "its header is damaged.")}");
        }

        // What one pass takes apart, the next can repair: an L2 table that lay where the old refcounts were, say.
        Qcow2CheckResult after = before;
        bool isDue = !before.IsHealthy || (scope == RepairScope.All && audit.Context.HasInconsistentBitmaps);
        for (int pass = 0; pass < MostPasses && isDue; pass++)
        {
            _hasWrittenInPass = false;
            RunPass(audit);
            if (!_hasWrittenInPass)
            {
                break;
            }

            audit = Audit();
            after = audit.Result;
            isDue = !after.IsHealthy;
        }

        if (after.Corruptions == 0 && after.CheckErrors == 0)
        {
            after = ClearFlags(after);
        }
        else if (scope == RepairScope.All && audit.Context is { } left && (left.Overlaps.Count > 0 || left.HasOverflow))
        {
            after = MarkCorrupt(after);
        }

        after = ReferenceEquals(after, before) ? before.Copy() : after;
        _report.AddTo(after);
        after.Before = before;
        after.CorruptionsFixed = Math.Max(0, before.Corruptions - after.Corruptions);
        after.LeaksFixed = Math.Max(0, before.Leaks - after.Leaks);
        return after;
    }

    private ImageAudit Audit() => ImageAudit.Run(image, options, progress, cancellationToken);

    private void RunPass(ImageAudit audit)
    {
        if (scope == RepairScope.All)
        {
            if (new SnapshotL1Cut(audit, _report, BeforeWrite, cancellationToken).Run())
            {
                audit = Audit();
            }

            if (new SnapshotTableRepair(audit, _report, BeforeWrite, cancellationToken).Run())
            {
                audit = Audit();
            }

            bool hasWritten = CompleteFile(audit.Context!) | new EntryRepair(audit, BeforeWrite, cancellationToken).Run();
            if (new BitmapRepair(audit, _report, BeforeWrite).Run() | hasWritten)
            {
                image.Flush();
                audit = Audit();
            }
        }

        // Without an L1 table nobody knows what belongs to it, and where it should lie nothing must be put.
        if (audit.Context!.FoundAll && !audit.Context.LacksL1)
        {
            if (scope != RepairScope.All || audit.Context.NeedsRebuild || CanSetFlags(audit))
            {
                RepairCounts(audit);
            }

            if (scope == RepairScope.All)
            {
                Separate(audit);
            }
        }
    }

    /// <summary>
    /// Copies what too many entries refer to. By now all counts are right that can be; where the structure was made anew, and with
    /// overlaps that went with the old one, the next pass does it.
    /// </summary>
    private void Separate(ImageAudit audit)
    {
        AuditContext context = audit.Context!;
        _hasUncountedSharing |= context.HasUncountedSharing;
        if (!context.NeedsRebuild && audit.Result.CheckErrors == 0)
        {
            _budget ??= new CopyBudget(context.FileLength);
            _ = new SharedTableRepair(audit, _budget, _hasUncountedSharing, BeforeWrite, cancellationToken).Run()
                || new SharedDataRepair(audit, _budget, _hasUncountedSharing, BeforeWrite, cancellationToken).Run();
        }
    }

    /// <summary>
    /// Whether every active table can be written, so that its flags can follow the counts. A count that was corrected beside a flag
    /// that was not would be the worse of the two.
    /// </summary>
    private static bool CanSetFlags(ImageAudit audit)
    {
        AuditContext context = audit.Context!;
        Qcow2Header header = context.Header;
        return !context.IsShared(header.L1TableOffset, Math.Max(1, (long)header.L1Size * L1Entry.Length), 1)
            && !audit.Tables!.Tables.Any(table => table.ActiveWeight > 0
                && context.Geometry.IsClusterAligned(table.Offset) && context.IsShared(table.Offset, context.Geometry.ClusterSize, table.Weight));
    }

    private void RepairCounts(ImageAudit audit)
    {
        AuditContext context = audit.Context!;
        var flags = new CopiedFlags(audit, BeforeWrite, cancellationToken);
        if (scope == RepairScope.Leaks)
        {
            // Where the structure is damaged, or another structure lies on it, nothing is written into it.
            if (context.NeedsRebuild || audit.Result.CheckErrors > 0)
            {
                return;
            }

            var leaks = new RefcountCorrection(context, BeforeWrite, cancellationToken);
            Step(leaks.Lower() | leaks.ClearPastEnd());
            if (audit.Result.Corruptions == context.WrongCopiedFlags)
            {
                Step(flags.Clear());
                Step(flags.Set());
            }

            return;
        }

        Step(flags.Clear());
        if (context.NeedsRebuild)
        {
            if (!new RefcountRebuild(context, BeforeWrite, cancellationToken).Run())
            {
                return;
            }

            // The old structure is gone, and with it what it shared with others.
            flags = new CopiedFlags(Audit(), BeforeWrite, cancellationToken);
            Step(flags.Clear());
        }
        else
        {
            var correction = new RefcountCorrection(context, BeforeWrite, cancellationToken);
            Step(correction.Raise());
            Step(correction.Lower() | correction.ClearPastEnd());
        }

        Step(flags.Set());
    }

    /// <summary>Makes a file that ends inside a table end with that table. What it lost reads as zeros, as it does for QEMU.</summary>
    private bool CompleteFile(AuditContext context)
    {
        long length = context.Clusters << context.Geometry.ClusterBits;
        length = Math.Max(length, RefcountAudit.ClustersInUse(context) << context.Geometry.ClusterBits);
        if (!context.HasCutMetadata || length <= image.Length || image.HasFixedLength)
        {
            return false;
        }

        BeforeWrite();
        _report.Add(Qcow2CheckFindingKind.PastEndOfFile, image.Length, "File", $"The file ended inside a table. It was lengthened from {image.Length} to {length} bytes: what the table lost reads as zeros.");
        _report.Settle();
        image.Write(image.Length, new byte[length - image.Length]);
        return true;
    }

    private void Step(bool hasWritten)
    {
        if (hasWritten)
        {
            image.Flush();
        }
    }

    /// <summary>Before the first write of all, withdraws what this engine does not know and so cannot keep true.</summary>
    private void BeforeWrite()
    {
        _hasWrittenInPass = true;
        if (_hasWritten)
        {
            return;
        }

        _hasWritten = true;
        Span<byte> field = stackalloc byte[sizeof(ulong)];
        Qcow2Header header = HeaderAudit.Load(image, new FindingLog(0), out _)!;
        image.CompleteLastCluster(header.ClusterSize);
        const AutoclearFeatures Known = AutoclearFeatures.Bitmaps | AutoclearFeatures.RawExternalData;
        if (header.Version >= 3 && (header.AutoclearFeatures & ~Known) != 0)
        {
            BinaryPrimitives.WriteUInt64BigEndian(field, (ulong)(header.AutoclearFeatures & Known));
            image.Write(HeaderField.AutoclearFeatures, field);
            image.Flush();
        }
    }

    /// <summary>
    /// What is left shares clusters without counts that say so: whoever writes would destroy what another entry or structure needs.
    /// The format's own mark keeps every writer away; version 2 has none.
    /// </summary>
    private Qcow2CheckResult MarkCorrupt(Qcow2CheckResult result)
    {
        if (result.IsCorrupt || HeaderAudit.Load(image, new FindingLog(0), out _)!.Version < 3)
        {
            return result;
        }

        Span<byte> field = stackalloc byte[sizeof(ulong)];
        image.ReadZeroPadded(HeaderField.IncompatibleFeatures, field);
        BeforeWrite();
        BinaryPrimitives.WriteUInt64BigEndian(field, BinaryPrimitives.ReadUInt64BigEndian(field) | (ulong)IncompatibleFeatures.Corrupt);
        image.Write(HeaderField.IncompatibleFeatures, field);
        image.Flush();
        return Audit().Result;
    }

    private Qcow2CheckResult ClearFlags(Qcow2CheckResult result)
    {
        if (!result.IsDirty && !result.IsCorrupt)
        {
            return result;
        }

        Span<byte> field = stackalloc byte[sizeof(ulong)];
        image.ReadZeroPadded(HeaderField.IncompatibleFeatures, field);
        ulong features = BinaryPrimitives.ReadUInt64BigEndian(field) & ~(ulong)(IncompatibleFeatures.Dirty | IncompatibleFeatures.Corrupt);
        BeforeWrite();
        image.Flush();
        BinaryPrimitives.WriteUInt64BigEndian(field, features);
        image.Write(HeaderField.IncompatibleFeatures, field);
        image.Flush();
        return Audit().Result;
    }
}

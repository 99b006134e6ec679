using Qcow2.Engine.Disks.Checking;
using System.Buffers;
using System.Runtime.InteropServices;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Work;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// One pass over all metadata of an image: what is referred to and how often, what the refcounts say, and everything that is wrong.
/// Damage is never thrown.
/// </summary>
/// <remarks>
/// Work and memory are bounded by the file: every table is examined once however many tables lead to it, and holes are not read.
/// </remarks>
internal sealed class ImageAudit
{
    private const int SectorSize = 512;

    private ImageAudit(AuditContext? context, L2Directory? tables, Qcow2CheckResult result)
    {
        Context = context;
        Tables = tables;
        Result = result;
    }

    /// <summary>What was counted; null if the header allowed no more than a look at itself.</summary>
    internal AuditContext? Context { get; }

    /// <summary>The L2 tables of all disks.</summary>
    internal L2Directory? Tables { get; }

    /// <summary>The verdict.</summary>
    internal Qcow2CheckResult Result { get; }

    /// <summary>Checks an image.</summary>
    /// <exception cref="Qcow2Exception">The file is no QCOW2 image.</exception>
    /// <exception cref="IOException">The host could not read.</exception>
    internal static ImageAudit Run(
        BlockStorage image, Qcow2CheckOptions options, IProgress<Qcow2CheckProgress>? progress, CancellationToken cancellationToken)
    {
        var log = new FindingLog(options.MaxFindings);

        // As QEMU does: a file has whole sectors, and what lacks of the last is zeros.
        long fileLength = (image.Length + SectorSize - 1) & ~(SectorSize - 1L);
        Qcow2Header? header = HeaderAudit.Load(image, log, out bool isTableUsable);
        if (header is null)
        {
            return new ImageAudit(null, null, Summarise(image, null, log));
        }

        NeedsAudit.Run(header, options.Untrusted, log);
        if (options.Untrusted)
        {
            TrustAudit.Run(header, fileLength, log);
        }

        long clusters = AuditContext.ClustersOf(fileLength, header);
        if (clusters > int.MaxValue)
        {
            log.Add(default, Qcow2CheckSeverity.Error, 1, () => new Qcow2CheckFinding
            {
                Kind = Qcow2CheckFindingKind.FileTooLarge,
                Table = "File",
                Expected = int.MaxValue,
                Found = (ulong)clusters,
                Message = $"The file has {clusters} clusters; no more than {int.MaxValue} can be checked.",
            });
            return new ImageAudit(null, null, Summarise(image, header, log));
        }

        int threads = Math.Max(1, options.ThrottleLimit);
        StoredRefcounts stored = StoredRefcounts.Load(image, header, isTableUsable, clusters + 1, threads, cancellationToken);
        var context = new AuditContext(image, header, log, fileLength, stored);
        var run = new AuditRun(context, threads, progress, cancellationToken);
        L2Directory tables = run.Count(isTableUsable);

        if (options.ReadData)
        {
            new DataAudit(context, tables, threads, progress, cancellationToken).Run();
        }

        long end = context.FoundAll ? RefcountAudit.Compare(context, cancellationToken) : 0;
        OverlapAudit.Run(context, tables, cancellationToken);
        context.Tail.Report(options.Untrusted, log);
        Qcow2CheckResult result = Summarise(image, header, log);
        result.AllocatedClusters = run.Allocated;
        result.CompressedClusters = run.Compressed;
        result.FragmentedClusters = run.Fragmented;
        result.ImageEndOffset = end << header.ClusterBits;
        return new ImageAudit(context, tables, result);
    }

    private static Qcow2CheckResult Summarise(BlockStorage image, Qcow2Header? header, FindingLog log)
    {
        return new Qcow2CheckResult
        {
            Path = image.Path,
            IsHealthy = log.Corruptions + log.Leaks + log.Errors + log.Warnings == 0,
            Corruptions = log.Corruptions,
            Leaks = log.Leaks,
            LeakedBytes = header is null ? 0 : log.Leaks << header.ClusterBits,
            CheckErrors = log.Errors,
            // QEMU's disks have whole sectors.
            TotalClusters = header is null ? 0 : AuditContext.ClustersOf(header.Size & ~(SectorSize - 1L), header),
            IsDirty = header?.Has(IncompatibleFeatures.Dirty) ?? false,
            IsCorrupt = header?.Has(IncompatibleFeatures.Corrupt) ?? false,
            FindingCount = log.Total,
            Findings = log.ToArray(),
        };
    }
}

/// <summary>Counts the references of one image.</summary>
internal sealed class AuditRun(AuditContext context, int threads, IProgress<Qcow2CheckProgress>? progress, CancellationToken cancellationToken)
{
    private const int BatchLength = 1 << 20;

    private long _bytesDone;

    internal long Allocated { get; private set; }

    internal long Compressed { get; private set; }

    internal long Fragmented { get; private set; }

    internal L2Directory Count(bool isTableUsable)
    {
        context.UseMetadata(default, 0, 0, Math.Min(context.Geometry.ClusterSize, context.FileLength), "the header");
        List<SnapshotL1>? snapshots = SnapshotAudit.Run(context);
        context.FoundAll &= snapshots is not null && HeaderAudit.FindsAll(context.Header);
        context.Snapshots = snapshots ?? [];
        var l1 = new L1Audit(context);
        l1.Run(snapshots ?? [], cancellationToken);
        CountTables(l1.Directory);
        CountEncryptionHeader();
        context.FoundAll &= BitmapAudit.Run(context, cancellationToken);
        RefcountAudit.CountStructure(context, isTableUsable);
        return l1.Directory;
    }

    private void CountTables(L2Directory tables)
    {
        var merge = new object();
        ParallelWorkers.Run(Math.Min(threads, Math.Max(1, tables.Count / 2)), Work, tables.Stop);

        void Work()
        {
            var inspector = new L2Inspector(context);
            var holes = new HoleFinder(context.Image, context.IsSparse);
            byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Max(BatchLength, context.Geometry.ClusterSize));
            try
            {
                while (tables.TryTake(out int first, out int count))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    Inspect(tables, first, count, buffer, holes, inspector);
                    progress?.Report(new Qcow2CheckProgress(
                        Interlocked.Add(ref _bytesDone, (long)count * context.Geometry.ClusterSize), (long)tables.Count * context.Geometry.ClusterSize));
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }

            lock (merge)
            {
                Allocated += inspector.Allocated;
                Compressed += inspector.Compressed;
                Fragmented += inspector.Fragmented;
            }
        }
    }

    private void Inspect(L2Directory tables, int first, int count, byte[] buffer, HoleFinder holes, L2Inspector inspector)
    {
        int size = context.Geometry.ClusterSize;
        long offset = tables.Tables[first].Offset;
        if (holes.IsHole(offset, (long)count * size))
        {
            return;
        }

        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(buffer.AsSpan(0, count * size));
        BigEndianTable.Read(context.Image, offset, words);
        int length = size / sizeof(ulong);
        for (int i = 0; i < count; i++)
        {
            inspector.Inspect(tables.Tables[first + i], words.Slice(i * length, length));
        }
    }

    private void CountEncryptionHeader()
    {
        if (!HeaderAudit.FindsAll(context.Header) || ImageEncryption.FindLuksHeader(context.Header) is not { } extension)
        {
            return; // Said of the header.
        }

        var order = CheckStage.Header.At(1);
        if (context.UseMetadata(order, extension.Offset, extension.Offset, extension.HeaderLength, "the LUKS header"))
        {
            try
            {
                ImageEncryption.ReadLuksHeader(context.Image, context.Header);
            }
            catch (Qcow2Exception e)
            {
                context.Log.Add(order, Qcow2CheckSeverity.Warning, 1, () => new Qcow2CheckFinding
                {
                    Kind = Qcow2CheckFindingKind.EncryptionHeaderDamaged,
                    Offset = extension.Offset,
                    Cluster = extension.Offset >> context.Geometry.ClusterBits,
                    Table = "LUKS header",
                    Message = e.Message,
                });
            }
        }
    }
}

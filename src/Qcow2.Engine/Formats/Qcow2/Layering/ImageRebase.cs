using Qcow2.Engine.Conversion;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats;
using Qcow2.Engine.Formats.Qcow2.Layering;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Reading;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Work;

namespace Qcow2.Engine.Chains;

/// <summary>Layers an image on another file, or on none: what <c>qemu-img rebase</c> does.</summary>
/// <remarks>
/// Where the image has nothing itself, and the old and the new backing file differ, the image gets what it showed until then.
/// When the disk of the host has all of that, one write of the header's first sector changes the backing file. Whenever this
/// ends, the image shows what it showed before.
/// </remarks>
public static class ImageRebase
{
    /// <summary>
    /// What is compared at a time: both sides stay in the processor's cache for the comparison and the copying. No less than a
    /// cluster, which is allocated whole.
    /// </summary>
    private const int PieceBytes = 1 << 20;

    /// <summary>Changes the backing file of an image.</summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory.</param>
    /// <param name="options">Which, and how.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for nobody.</param>
    /// <param name="cancellationToken">Stops the work within a fraction of a second; the image keeps its old backing file then.</param>
    /// <exception cref="ArgumentException">A backing file without a format.</exception>
    /// <exception cref="NotSupportedException">The image has a raw external data file, which forbids a backing file.</exception>
    /// <exception cref="Qcow2Exception">
    /// A backing file cannot be used, is layered on the image itself, or a snapshot would change; an image is damaged, locked, or
    /// needs a passphrase; the header has no room for the name.
    /// </exception>
    /// <exception cref="IOException">The host could not read or write.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public static void Rebase(
        string path, ImageRebaseOptions options, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using LocalFile file = ImageFile.OpenForWriting(path);
        try
        {
            Qcow2Header header = HeaderCluster.Load(file);
            header.EnsureSupported();
            BackingReference? reference = ReferenceFor(header, file, options);
            if (options.MetadataOnly)
            {
                ChangeHeader(file, header, reference);
            }
            else
            {
                Rebase(file, header, reference, options, progress, cancellationToken);
            }
        }
        catch (Qcow2Exception e)
        {
            e.At(file.Path);
            throw;
        }
    }

    /// <summary>Copies into an image what only its old backing file has, and changes the header.</summary>
    /// <param name="image">The image, open for writing over its old backing file, which <see cref="PaddedDisk"/> makes as long as the new one.</param>
    /// <param name="old">The old backing file.</param>
    /// <param name="next">The new one; null for none.</param>
    /// <param name="reference">What the header is to say of it.</param>
    /// <param name="threads">Threads.</param>
    /// <param name="progress">Told of progress.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <param name="shares">Whether the image may share extents with the old backing file.</param>
    internal static ConversionResult Rebase(
        Qcow2Image image,
        PaddedDisk old,
        VirtualDisk? next,
        BackingReference? reference,
        int threads,
        IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken,
        bool shares = true)
    {
        image.EnsureReadable();
        next?.EnsureReadable();
        image.RequireRoomFor(reference);
        using VirtualDisk padded = new PaddedDisk(null, image.Path, old.Length);
        VirtualDisk other = next ?? padded;
        RequireSnapshotsToStay(image, old, other, cancellationToken);
        int length = Math.Max(image.Header.ClusterSize, PieceBytes);
        var all = new List<SharedExtents>(); // One for each thread.
        IEnumerable<RebasePiece> pieces = RebasePiece.Of(image, old, next, length, cancellationToken);
        using (var work = new WorkQueue<RebasePiece>(pieces, image.Length, progress, cancellationToken))
        {
            using CopyTarget target = image.TargetOfCopy(isZero: false, ConversionOptions.Default);
            ParallelWorkers.Run(threads, () => Work(image, old, other, work, shares ? NewSharing(target) : null), work.Stop);
        }

        image.Flush();
        image.SetBackingFile(reference);
        return new ConversionResult([]) { SharedBytes = all.Sum(one => one.Bytes), SharingRefusal = all.Select(one => one.Refusal).FirstOrDefault(refusal => refusal is not null) };

        SharedExtents NewSharing(CopyTarget target)
        {
            var sharing = new SharedExtents(old, target, target.Unit);
            lock (all)
            {
                all.Add(sharing);
            }

            return sharing;
        }
    }

    private static void Rebase(
        LocalFile file,
        Qcow2Header header,
        BackingReference? reference,
        ImageRebaseOptions options,
        IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken)
    {
        Qcow2OpenOptions read = options.Open with { Writable = false, DataFile = null };
        var chain = ChainContext.Begin(file, read, cancellationToken);
        using VirtualDisk? next = reference is null ? null : ParentFile.Open(reference.Name, reference.Format, file.Path, chain);
        VirtualDisk? before = BackingFile.Open(header, file.Path, chain);
        var old = new PaddedDisk(before, file.Path, Math.Max(before?.Length ?? 0, next?.Length ?? 0));
        using var image = Qcow2Image.OpenOver(file, old, options.Open with { Writable = true }, cancellationToken);
        ConversionResult result = Rebase(image, old, next, reference, options.ThrottleLimit, progress, cancellationToken, options.ShareExtents);
        options.OnShared?.Invoke(result);
    }

    private static void Work(Qcow2Image image, PaddedDisk old, VirtualDisk next, WorkQueue<RebasePiece> work, SharedExtents? sharing)
    {
        using var comparer = new BackingComparer(old, next, 1 << image.Header.Geometry.SubclusterBits);
        while (work.TryTake(out RebasePiece piece))
        {
            if (piece.MayDiffer)
            {
                foreach ((long offset, int length) in comparer.Differences(piece))
                {
                    comparer.Keep(image, piece, offset, length, sharing);
                }
            }

            work.Complete(piece.Length);
        }
    }

    /// <summary>A snapshot shows the backing file, too, where it has nothing itself; and nothing can be written to it.</summary>
    private static void RequireSnapshotsToStay(Qcow2Image image, PaddedDisk old, VirtualDisk next, CancellationToken cancellationToken)
    {
        if (image.Snapshots.Count == 0)
        {
            return;
        }

        using var comparer = new BackingComparer(old, next, RebasePiece.MaxLength);
        foreach (SnapshotTableEntry snapshot in image.Snapshots)
        {
            using VirtualDisk disk = image.OpenSnapshot(snapshot);
            foreach (RebasePiece piece in RebasePiece.Of(disk, old, next, PieceBytes, cancellationToken).Where(piece => piece.MayDiffer))
            {
                if (comparer.Differences(piece).Any())
                {
                    throw new Qcow2Exception(
                        Qcow2ErrorCode.SnapshotWouldChange,
                        $"The snapshot '{PrintableText.Of(snapshot.Name)}' (id {PrintableText.Of(snapshot.Id)}) shows data of the old backing file at "
                        + $"0x{piece.Offset:x} that the new one does not have, and it cannot be copied there. Export and remove the snapshot first.").At(image.Path);
                }
            }
        }
    }

    private static void ChangeHeader(LocalFile file, Qcow2Header header, BackingReference? reference)
    {
        if (header.Has(IncompatibleFeatures.Corrupt))
        {
            throw Qcow2Errors.Corrupt("The image is marked corrupt: it can be read, but must be repaired before it is written.");
        }

        if (reference is not null && ImageReference.TryResolve(reference.Name, file.Path) is string path && LocalFile.TryIdentify(path)?.IsProvenSameAs(file.Identity) == true)
        {
            throw new Qcow2Exception(Qcow2ErrorCode.BackingChainLoop, "An image cannot be its own backing file.");
        }

        BackingReferenceWriter.Write(file, reference);
    }

    private static BackingReference? ReferenceFor(Qcow2Header header, LocalFile file, ImageRebaseOptions options)
    {
        if (string.IsNullOrEmpty(options.BackingFile))
        {
            return null;
        }

        if (header.Has(AutoclearFeatures.RawExternalData))
        {
            throw new NotSupportedException(
                $"{file.Path}: the image's external data file alone is a raw image of the disk, so that it cannot have a backing file.");
        }

        string? recorded = options.MetadataOnly ? header.Extension<BackingFormatExtension>()?.Format : null;
        string format = options.BackingFormat ?? recorded ?? throw new ArgumentException(
            "A backing file and its format are given together: it is never guessed.", nameof(options));
        return DiskFormats.All.Any(known => known.Name == format || known.RecordedName == format) || options.BackingFormat is null
            ? new BackingReference(options.BackingFile!, format)
            : throw new ArgumentException($"The format '{format}' is not supported; supported are {DiskFormats.Names}.", nameof(options));
    }
}

using Qcow2.Engine.Disks;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Compaction;
using Qcow2.Engine.Formats.Qcow2.Creation;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Snapshots;
using Qcow2.Engine.Formats.Qcow2.Writing;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Conversion;

/// <summary>Compacts an image: leaves out what nothing refers to, and what reads as zeros or as the backing file does anyway.</summary>
/// <remarks>
/// A new file is made beside the image, with the same header, and moved over it when it is complete; until then, and whatever goes wrong, the
/// image stays as it was. It is replaced if the new file takes less on its disk or is shorter, and is not materially larger by the other of
/// these two. A disk that ends inside a sector gets the whole of it, as any new image does (<see cref="DiskSize"/>). Snapshots are made anew one after the other: what a snapshot shares with the one before it is shared again.
/// </remarks>
public static class ImageOptimizer
{
    /// <summary>Eight times what the longest keys of LUKS1 take, so that a damaged length does not fill the memory.</summary>
    private const int MaxEncryptionHeaderBytes = 16 << 20;

    /// <summary>Compacts an image.</summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory. A link is followed.</param>
    /// <param name="options">How; null for <see cref="ImageOptimizeOptions.Default"/>.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for nobody.</param>
    /// <param name="cancellationToken">Stops the work within a fraction of a second; the image stays as it was.</param>
    /// <returns>What was gained. If nothing was, the image was not replaced.</returns>
    /// <exception cref="ArgumentException">The options contradict each other or the image.</exception>
    /// <exception cref="NotSupportedException">
    /// The image has something that would not be kept: the saved state of a virtual machine, the legacy encryption, an external data file, or a second name
    /// (hard link).
    /// </exception>
    /// <exception cref="Qcow2Exception">The image is damaged, in use, or needs a passphrase; a bitmap was never saved; or a file of its chain cannot be used.</exception>
    /// <exception cref="IOException">The host could not read or write, for one for want of space for both files.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public static Qcow2OptimizeResult Optimize(
        string path, ImageOptimizeOptions? options = null, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        options ??= ImageOptimizeOptions.Default;
        string fullPath = CanonicalPath.TryOf(System.IO.Path.GetFullPath(path)) ?? System.IO.Path.GetFullPath(path);
        Destination.At(fullPath).EnsureReplaceable(overwrite: true);
        using var held = HeldFile.Hold(fullPath); // Nobody else writes the image until it is replaced.
        (Qcow2Header model, long firstSize, byte[] encryption) = ReadModel(held, options);
        using var image = NewImageFile.CreateLike(held, model, firstSize, encryption, options.Open.Passphrase, cancellationToken);
        Qcow2OptimizeResult result;
        long sharedBytes;
        using (Qcow2Image source = Qcow2Image.Open(held.OpenRead(), HowToRead(options), cancellationToken))
        {
            RequireUnchanged(source.Header, model, fullPath);
            source.EnsureReadable();
            BitmapCopier.EnsureCopyable(source, skipInconsistent: false);
            using (Qcow2Image destination = image.Open(source.Backing is null ? null : new BorrowedDisk(source.Backing)))
            {
                // Each compressed cluster is counted again by each snapshot to come.
                destination.Writer.MaxPacked = Math.Max(1, model.RefcountOrder.MaxValue / ((ulong)source.Snapshots.Count + 1));
                sharedBytes = CopyAll(source, destination, options, progress, cancellationToken);
                BitmapCopier.Copy(source, destination, cancellationToken: cancellationToken);
            }

            result = Compare(fullPath, image.Storage, model.ClusterSize, options.ReplacesAlways);
            result.SharedBytes = result.IsReplaced ? sharedBytes : 0;
        }

        if (result.IsReplaced)
        {
            image.Commit(cancellationToken);
        }

        return result;
    }

    private static (Qcow2Header Header, long FirstSize, byte[] EncryptionHeader) ReadModel(HeldFile held, ImageOptimizeOptions options)
    {
        LocalFile file = held.File;
        string path = held.Path;
        try
        {
            Qcow2Header header = HeaderCluster.Load(file);
            header.EnsureSupported();
            header.EnsureExtensionsKnown();
            SnapshotTable table = SnapshotTable.Load(file, header);
            table.EnsureComplete();
            IReadOnlyList<SnapshotTableEntry> snapshots = table.Entries;
            foreach (SnapshotTableEntry snapshot in snapshots)
            {
                snapshot.EnsureSound();
            }

            RequireKeepable(header, snapshots, options, path);
            byte[] encryption = [];
            if (ImageEncryption.FindLuksHeader(header) is { } extension)
            {
                ImageEncryption.ReadLuksHeader(file, header); // Its place and length make sense.
                if (extension.HeaderLength > MaxEncryptionHeaderBytes)
                {
                    throw Qcow2Errors.Limit("The LUKS header's length", (ulong)extension.HeaderLength, MaxEncryptionHeaderBytes, "bytes");
                }

                encryption = new byte[extension.HeaderLength];
                file.ReadZeroPadded(extension.Offset, encryption);
            }

            return (header, snapshots.Count == 0 ? header.Size : snapshots[0].DiskSizeIn(header), encryption);
        }
        catch (Qcow2Exception e)
        {
            e.At(path);
            throw;
        }
    }

    private static void RequireKeepable(Qcow2Header header, IReadOnlyList<SnapshotTableEntry> snapshots, ImageOptimizeOptions options, string path)
    {
        if (FileStatus.LinksOf(path) is long links && links > 1)
        {
            throw new NotSupportedException(
                $"{path}: the file has {links} names (hard links), and only this one would get the compacted image: the others would stay with the old one. Remove them, or convert the image to a new file.");
        }

        if (header.Has(IncompatibleFeatures.Corrupt))
        {
            throw Qcow2Errors.Corrupt("The image is marked corrupt; check and repair it before it is compacted.");
        }

        if (header.Has(IncompatibleFeatures.ExternalDataFile))
        {
            throw new NotSupportedException($"{path}: the data lies in an external data file, where each cluster has its own place, so that there is nothing to compact.");
        }

        if (header.EncryptionMethod == EncryptionMethod.Aes)
        {
            throw new NotSupportedException($"{path}: the image is encrypted with the legacy AES method, with which no new image is made. Convert it to one that is encrypted with LUKS.");
        }

        CompressionLevels.Resolve(header.CompressionType, options.CompressionLevel);
        if (options.Compress && header.EncryptionMethod != EncryptionMethod.None)
        {
            throw new ArgumentException("An encrypted image cannot have compressed clusters.", nameof(options));
        }

        if (snapshots.Where(snapshot => snapshot.L1Size > 0).GroupBy(snapshot => snapshot.L1TableOffset).FirstOrDefault(sharing => sharing.Count() > 1) is { } shared)
        {
            throw Qcow2Errors.Corrupt($"{shared.Count()} snapshots have their L1 table at the same place, 0x{shared.Key:x}; check and repair the image before it is compacted.");
        }

        if (snapshots.FirstOrDefault(snapshot => snapshot.VmStateSize > 0) is { } withState)
        {
            throw new NotSupportedException(
                $"{path}: the snapshot '{PrintableText.Of(withState.Name)}' (id {PrintableText.Of(withState.Id)}) holds the saved state of a virtual machine, "
                + "which would not be kept. Remove the snapshot first, or leave the image as it is.");
        }
    }

    private static Qcow2OpenOptions HowToRead(ImageOptimizeOptions options)
        => options.Open with { Writable = false, ForceShare = true, L2CacheSize = Qcow2OpenOptions.Sequential.L2CacheSize };

    private static void RequireUnchanged(Qcow2Header header, Qcow2Header model, string path)
    {
        if (!header.ToArray().AsSpan().SequenceEqual(model.ToArray()))
        {
            throw new IOException($"{path}: another program changed the image just now. It was left as it is.");
        }
    }

    /// <summary>Makes each snapshot, and the active disk last; each differs from the one before it, the first from the backing file.</summary>
    /// <returns>Bytes that the new image shares with the old one.</returns>
    private static long CopyAll(
        Qcow2Image source, Qcow2Image destination, ImageOptimizeOptions options, IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        var sum = new StepProgress(progress, source.Length + source.Snapshots.Sum(snapshot => snapshot.DiskSizeIn(source.Header)));
        VirtualDisk? before = source.Backing;
        long sharedBytes = 0;
        foreach (SnapshotTableEntry? snapshot in source.Snapshots.Append<SnapshotTableEntry?>(null))
        {
            // One at a time, and the one before it: each has its L1 table in memory.
            VirtualDisk disk = snapshot is null ? source : source.OpenSnapshot(snapshot);
            if (destination.Length != disk.Length)
            {
                destination.Resize(disk.Length, allowShrink: true, cancellationToken: cancellationToken);
            }

            sharedBytes += Copy(disk, destination, before, options, sum, cancellationToken).SharedBytes;
            if (snapshot is not null)
            {
                destination.CreateSnapshotLike(snapshot, cancellationToken);
            }

            before = disk;
            sum.Next(disk.Length);
        }

        return sharedBytes;
    }

    private static ConversionResult Copy(
        VirtualDisk disk, Qcow2Image destination, VirtualDisk? before, ImageOptimizeOptions options, StepProgress progress, CancellationToken cancellationToken)
    {
        bool compresses = options.Compress || HasCompressed(disk, cancellationToken);
        var how = new ConversionOptions { ThrottleLimit = options.ThrottleLimit, ShareExtents = options.ShareExtents, Compress = compresses, CompressionLevel = compresses ? options.CompressionLevel : null };
        using var target = new Qcow2Target(destination, isZero: true, before, how)
        {
            FindsAllZeros = true, // It is what the image is written anew for.
            IsToBeCompressed = options.Compress ? null : (offset, length) => disk.EnumerateExtents(offset, length, 0).Any(extent => extent.IsCompressed && extent.Depth == 0),
        };
        return DiskCopy.Run(disk, target, how, progress, cancellationToken);
    }

    private static bool HasCompressed(VirtualDisk disk, CancellationToken cancellationToken)
        => disk.GetExtents(0, disk.Length, cancellationToken).Any(extent => extent.IsCompressed && extent.Depth == 0);

    private static Qcow2OptimizeResult Compare(string path, BlockStorage next, int clusterSize, bool replacesAlways)
    {
        Qcow2ImageInfo old = Qcow2ImageInfo.Read(path);
        next.Flush(); // Some hosts decide only then what the file takes.
        var gain = new CompactionGain(old.AllocatedSize, next.AllocatedLength, old.FileSize, next.Length, clusterSize);
        bool isReplaced = replacesAlways || gain.IsWorthwhile;
        return new Qcow2OptimizeResult
        {
            Path = path,
            IsReplaced = isReplaced,
            FileSizeBefore = old.FileSize,
            FileSize = isReplaced ? gain.Length : old.FileSize,
            AllocatedSizeBefore = old.AllocatedSize,
            AllocatedSize = isReplaced ? gain.Allocated : old.AllocatedSize,
            SavedBytes = isReplaced ? old.AllocatedSize - gain.Allocated : 0,
            Reason = gain.Reason,
        };
    }

    /// <summary>One progress out of that of several disks.</summary>
    private sealed class StepProgress(IProgress<WorkProgress>? progress, long total) : IProgress<WorkProgress>
    {
        private long _before;

        public void Report(WorkProgress value) => progress?.Report(new WorkProgress(Volatile.Read(ref _before) + value.BytesDone, total));

        internal void Next(long length) => Volatile.Write(ref _before, _before + length);
    }
}

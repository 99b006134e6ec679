using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Operations;

/// <summary>One conversion, from opening the sources to the finished file, with its progress.</summary>
/// <param name="sources">The disks; more than one are joined, in order.</param>
/// <param name="destination">Where to.</param>
/// <param name="options">How.</param>
/// <param name="deletesSources">Whether the files of the disks are deleted when that is done; until then nobody else can write them.</param>
internal sealed class DiskConversion(
    IReadOnlyList<DiskSource> sources, ConversionDestination destination, ConversionOptions options, bool deletesSources = false)
{
    /// <summary>As much of a disk on a server is asked for ahead of where it is read.</summary>
    private const long WebReadAheadSize = 32L << 20;

    private readonly ConversionOptions _options = sources.All(source => source.Location.LocalPath is not null) ? options : options with { ReadAheadSize = WebReadAheadSize };

    /// <summary>What the new size or the sectors of the new disk do to the partition table on it, for warnings.</summary>
    internal IReadOnlyList<string> PartitionProblems { get; private set; } = [];

    /// <summary>Converts, on other threads than this one.</summary>
    /// <param name="show">Called on this thread with progress.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    /// <exception cref="OperationCanceledException">The pipeline was stopped.</exception>
    internal ConversionResult Run(Action<ProgressRecord> show, CancellationToken stop)
        => TrackedOperation.Run("Converting", sources[0].Path, Convert, show, stop);

    /// <summary>Opening is part of the work: to try a passphrase takes seconds, by design.</summary>
    private ConversionResult Convert(IProgress<WorkProgress> progress, CancellationToken cancellationToken)
    {
        using HeldFiles? held = deletesSources ? new HeldFiles(sources.Select(source => source.Location.LocalPath!)) : null;
        ConversionResult result = Convert(held, progress, cancellationToken);
        held?.Delete();
        return result;
    }

    private ConversionResult Convert(HeldFiles? held, IProgress<WorkProgress> progress, CancellationToken cancellationToken)
    {
        var opened = new List<OpenedDisk>();
        try
        {
            foreach (DiskSource source in sources)
            {
                opened.Add(source.Open(cancellationToken, held));
                if (held is not null && opened[opened.Count - 1].Image is { Snapshots.Count: > 0 })
                {
                    throw SnapshotsWouldBeLost(source.Path); // Made since that was asked for the first time.
                }
            }

            VirtualDisk disk = opened.Count == 1 ? opened[0].Disk : new ConcatenatedDisk([.. opened.Select(one => one.Disk)]);
            return Convert(disk, progress, cancellationToken);
        }
        finally
        {
            opened.ForEach(one => one.Dispose());
        }
    }

    /// <summary>An image that is to be deleted has more than what is copied.</summary>
    /// <param name="path">The image.</param>
    internal static ImageCmdletException SnapshotsWouldBeLost(string path) => ImageCmdletException.NotPossible(
        $"{path}: the image has internal snapshots, which are not copied and would be lost with -DeleteSource. Export or remove them first.");

    private ConversionResult Convert(VirtualDisk disk, IProgress<WorkProgress> progress, CancellationToken cancellationToken)
    {
        switch (destination)
        {
            case NewDisk file:
                ConversionResult result = DiskConverter.Convert(disk, file.Path, file.Layout, file.Overwrite, _options, progress, cancellationToken);
                PartitionProblems = PartitionWarnings.OfCopy(disk, file.Layout, cancellationToken);
                return result;
            case ExistingDisk existing when disk.ReadsFrom(existing.Path):
                throw DestinationFile.IsSource(existing.Path, disk.Path); // Before its lock says so less clearly.
            default:
                var into = (ExistingDisk)destination;
                using (VirtualDisk target = into.Format.Open(into.Path, into.Options, cancellationToken))
                {
                    ConversionResult copied = DiskConverter.ConvertInto(disk, target, into.IsZero, _options, progress, cancellationToken);
                    PartitionProblems = PartitionWarnings.OfCopy(disk, target, cancellationToken);
                    return copied;
                }
        }
    }
}

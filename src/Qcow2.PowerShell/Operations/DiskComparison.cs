using System.Management.Automation;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Operations;

/// <summary>One comparison, from opening both disks to the verdict, with its progress.</summary>
/// <param name="source">The disk.</param>
/// <param name="difference">The disk to compare it with.</param>
/// <param name="options">How.</param>
internal sealed class DiskComparison(DiskSource source, DiskSource difference, DiskCompareOptions options)
{
    /// <summary>Compares, on other threads than this one.</summary>
    /// <param name="show">Called on this thread with progress.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    /// <exception cref="OperationCanceledException">The pipeline was stopped.</exception>
    internal Qcow2CompareResult Run(Action<ProgressRecord> show, CancellationToken stop)
        => TrackedOperation.Run("Comparing", source.Path, Compare, show, stop);

    private Qcow2CompareResult Compare(IProgress<WorkProgress> progress, CancellationToken cancellationToken)
    {
        using OpenedDisk disk = source.Open(cancellationToken);
        using OpenedDisk other = difference.Open(cancellationToken);
        Qcow2CompareResult result = DiskComparer.Compare(disk.Disk, other.Disk, options, progress, cancellationToken);
        result.SnapshotId = disk.Snapshot?.Id;
        result.SnapshotName = disk.Snapshot?.Name;
        result.DifferenceSnapshotId = other.Snapshot?.Id;
        result.DifferenceSnapshotName = other.Snapshot?.Name;
        return result;
    }
}

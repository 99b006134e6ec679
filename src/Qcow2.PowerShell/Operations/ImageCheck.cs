using System.Management.Automation;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Operations;

/// <summary>Checks and repairs images on a thread of their own, with progress.</summary>
internal static class ImageCheck
{
    /// <summary>Checks an image.</summary>
    /// <param name="image">The image.</param>
    /// <param name="format">What it is.</param>
    /// <param name="options">How.</param>
    /// <param name="show">Called on this thread with progress.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    internal static Qcow2CheckResult Check(ImageLocation image, DiskFormat format, Qcow2CheckOptions options, Action<ProgressRecord> show, CancellationToken stop)
        => Run($"Checking {DisplayText.Printable(image.Name)}", (progress, token) => image.Check(format, options, progress, token), show, stop);

    /// <summary>Repairs an image.</summary>
    /// <param name="path">Full path of the image.</param>
    /// <param name="mode">How far the repair may go.</param>
    /// <param name="show">Called on this thread with progress.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    internal static Qcow2CheckResult Repair(string path, Qcow2RepairMode mode, Action<ProgressRecord> show, CancellationToken stop)
        => Run($"Repairing {DisplayText.Printable(path)}", (progress, token) => Qcow2Repairer.Repair(path, mode, null, progress, token), show, stop);

    private static Qcow2CheckResult Run(
        string activity, Func<IProgress<Qcow2CheckProgress>, CancellationToken, Qcow2CheckResult> work, Action<ProgressRecord> show, CancellationToken stop)
    {
        var operation = new TrackedOperation(activity);
        Qcow2CheckResult? result = null;
        operation.Run(token => result = work(new Meter(operation), token), show, stop);
        return result!;
    }

    private sealed class Meter(TrackedOperation operation) : IProgress<Qcow2CheckProgress>
    {
        public void Report(Qcow2CheckProgress value)
        {
            operation.Total = value.BytesTotal;
            operation.Done = value.BytesDone;
        }
    }
}

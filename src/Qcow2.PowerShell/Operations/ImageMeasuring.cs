using Qcow2.Engine;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Storage;

namespace Qcow2.PowerShell.Operations;

/// <summary>One measurement of a disk, from opening it to the numbers.</summary>
/// <param name="source">The disk.</param>
/// <param name="layout">The format and layout of the image to be.</param>
internal sealed class ImageMeasuring(DiskSource source, DiskCreateOptions layout)
{
    /// <summary>Whether another program had the source open for writing.</summary>
    internal bool IsInUse { get; private set; }

    /// <summary>Measures, on another thread.</summary>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    /// <exception cref="OperationCanceledException">The pipeline was stopped.</exception>
    internal Qcow2MeasureResult Run(CancellationToken stop)
    {
        Qcow2MeasureResult? result = null;
        LongOperation.Run(token => result = Measure(token), () => { }, stop);
        return result!;
    }

    private Qcow2MeasureResult Measure(CancellationToken cancellationToken)
    {
        using OpenedDisk opened = source.Open(cancellationToken);
        IsInUse = source.ReadInformation().LockState == ImageLockState.HeldForWriting;
        Qcow2MeasureResult result = ImageMeasure.Of(opened.Disk, layout, opened.Image, cancellationToken);
        result.SnapshotId = opened.Snapshot?.Id;
        result.SnapshotName = opened.Snapshot?.Name;
        return result;
    }
}

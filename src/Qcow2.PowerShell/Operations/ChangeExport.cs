using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Conversion;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Operations;

/// <summary>Writes what a bitmap says that was changed to a new image, and lets the bitmap begin anew where that is asked for.</summary>
/// <param name="source">The image.</param>
/// <param name="bitmapName">Its bitmap.</param>
/// <param name="destination">The new image.</param>
/// <param name="options">How.</param>
/// <param name="clears">Whether the bitmap is cleared when the new image is complete.</param>
internal sealed class ChangeExport(DiskSource source, string bitmapName, NewDisk destination, ConversionOptions options, bool clears)
{
    /// <summary>Bytes of the disk that the bitmap marks.</summary>
    internal long ChangedBytes { get; private set; }

    /// <summary>Exports, on other threads than this one.</summary>
    /// <param name="show">Called on this thread with progress.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    /// <exception cref="OperationCanceledException">The pipeline was stopped.</exception>
    internal ConversionResult Run(Action<ProgressRecord> show, CancellationToken stop)
        => TrackedOperation.Run("Exporting changes of", source.Path, Export, show, stop);

    /// <summary>
    /// Where the bitmap is cleared, the image is open for writing from the first read on: nobody else can write what the bitmap would forget. It is
    /// cleared when the new image is on the disk; before that, whatever happens, it says what it said.
    /// </summary>
    private ConversionResult Export(IProgress<WorkProgress> progress, CancellationToken cancellationToken)
    {
        using OpenedDisk opened = (source with { Options = source.Options with { Writable = clears } }).Open(cancellationToken);
        Qcow2Image image = opened.Image!;
        IReadOnlyList<DiskRange> changed = image.GetBitmapRanges(bitmapName, cancellationToken);
        ChangedBytes = changed.Sum(range => range.Length);
        ConversionResult result = DiskConverter.Convert(
            image, destination.Path, destination.Layout, destination.Overwrite, options with { OnlyWithin = changed }, progress, cancellationToken);
        if (clears)
        {
            image.ClearBitmap(bitmapName);
            image.Flush();
        }

        return result;
    }
}

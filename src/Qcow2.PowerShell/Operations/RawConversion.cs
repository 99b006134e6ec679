using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Conversion;

namespace Qcow2.PowerShell.Operations;

/// <summary>One conversion, from opening the image to the finished file, with its progress.</summary>
internal sealed class RawConversion(
    string path, Qcow2OpenOptions options, string? snapshot, string destination, bool overwrite, int throttleLimit) : IProgress<ConversionProgress>
{
    private long _done;
    private long _total;

    /// <summary>Called by the converter's threads, often.</summary>
    public void Report(ConversionProgress value) => Interlocked.Exchange(ref _done, value.BytesDone);

    /// <summary>Converts, on other threads than this one.</summary>
    /// <param name="show">Called on this thread with progress.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    /// <exception cref="OperationCanceledException">The pipeline was stopped.</exception>
    internal void Run(Action<ProgressRecord> show, CancellationToken stop)
    {
        var meter = new ProgressMeter($"Converting {DisplayText.Printable(System.IO.Path.GetFileName(path))}");
        try
        {
            LongOperation.Run(Convert, () => Show(meter.Next(Interlocked.Read(ref _done), Interlocked.Read(ref _total))), stop);
        }
        finally
        {
            // A stopped pipeline takes no more records, and takes its progress away itself.
            if (!stop.IsCancellationRequested)
            {
                Show(meter.Complete());
            }
        }

        void Show(ProgressRecord? record)
        {
            if (record is not null)
            {
                show(record);
            }
        }
    }

    /// <summary>Opening is part of the work: to try a passphrase takes seconds, by design.</summary>
    private void Convert(CancellationToken cancellationToken)
    {
        using Qcow2Image image = Qcow2Image.Open(path, options, cancellationToken);
        VirtualDisk disk = snapshot is null ? image : image.OpenSnapshot(image.FindSnapshot(snapshot));
        Interlocked.Exchange(ref _total, disk.Length);
        var how = new RawConversionOptions { ThrottleLimit = throttleLimit };
        RawConverter.Convert(disk, destination, overwrite, how, this, cancellationToken);
    }
}

using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Conversion;

namespace Qcow2.PowerShell.Operations;

/// <summary>One conversion, from opening the image to the finished file, with its progress.</summary>
internal sealed class RawConversion(
    string path, Qcow2OpenOptions options, string? snapshot, string destination, bool overwrite, int throttleLimit) : IProgress<WorkProgress>
{
    private readonly TrackedOperation _operation = new($"Converting {DisplayText.Printable(System.IO.Path.GetFileName(path))}");

    /// <summary>Called by the converter's threads, often.</summary>
    public void Report(WorkProgress value) => _operation.Done = value.BytesDone;

    /// <summary>Converts, on other threads than this one.</summary>
    /// <param name="show">Called on this thread with progress.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    /// <exception cref="OperationCanceledException">The pipeline was stopped.</exception>
    internal void Run(Action<ProgressRecord> show, CancellationToken stop) => _operation.Run(Convert, show, stop);

    /// <summary>Opening is part of the work: to try a passphrase takes seconds, by design.</summary>
    private void Convert(CancellationToken cancellationToken)
    {
        using Qcow2Image image = Qcow2Image.Open(path, options, cancellationToken);
        VirtualDisk disk = snapshot is null ? image : image.OpenSnapshot(image.FindSnapshot(snapshot));
        _operation.Total = disk.Length;
        var how = new ConversionOptions { ThrottleLimit = throttleLimit };
        DiskConverter.ConvertToRaw(disk, destination, overwrite, how, this, cancellationToken);
    }
}

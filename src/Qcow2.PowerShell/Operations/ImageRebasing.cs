using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Chains;

namespace Qcow2.PowerShell.Operations;

/// <summary>One change of a backing file, with its progress.</summary>
internal sealed class ImageRebasing(string path, ImageRebaseOptions options) : IProgress<WorkProgress>
{
    private readonly TrackedOperation _operation = new($"Rebasing {DisplayText.Printable(System.IO.Path.GetFileName(path))}");

    /// <summary>Called by the engine's threads, often.</summary>
    public void Report(WorkProgress value)
    {
        _operation.Total = value.BytesTotal;
        _operation.Done = value.BytesDone;
    }

    /// <summary>Compares, copies and changes the header, on other threads than this one.</summary>
    /// <param name="show">Called on this thread with progress.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    /// <exception cref="OperationCanceledException">The pipeline was stopped; the image has its old backing file.</exception>
    internal void Run(Action<ProgressRecord> show, CancellationToken stop)
        => _operation.Run(token => ImageRebase.Rebase(path, options, this, token), show, stop);
}

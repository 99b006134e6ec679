using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Chains;

namespace Qcow2.PowerShell.Operations;

/// <summary>One merge, with its progress.</summary>
internal sealed class ImageMerging(string path, ImageMergeOptions options) : IProgress<WorkProgress>
{
    private readonly TrackedOperation _operation = new($"Merging {DisplayText.Printable(System.IO.Path.GetFileName(path))}");

    /// <summary>Called by the engine's threads, often.</summary>
    public void Report(WorkProgress value)
    {
        _operation.Total = value.BytesTotal;
        _operation.Done = value.BytesDone;
    }

    /// <summary>Merges, on other threads than this one.</summary>
    /// <param name="show">Called on this thread with progress.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    /// <exception cref="OperationCanceledException">The pipeline was stopped; the image shows what it showed.</exception>
    internal void Run(Action<ProgressRecord> show, CancellationToken stop)
        => _operation.Run(token => ImageMerge.Merge(path, options, this, token), show, stop);
}

using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that opens an image as a disk: the active one or that of a snapshot.</summary>
public abstract class DiskCmdlet : DataFileCmdlet
{
    /// <summary>
    /// The internal snapshot whose disk is used, by its id or its name; case matters. By default the active disk is used, or
    /// the snapshot that comes down the pipeline from <c>Get-Qcow2Snapshot</c>.
    /// </summary>
    [Parameter]
    [Alias("SnapshotId", "CheckpointName")]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string? SnapshotName { get; set; }

    /// <summary>The snapshot to use of an image: the one asked for, or the one that came as an object; null for the active disk.</summary>
    /// <param name="image">The image.</param>
    private protected string? SnapshotOf(ImageInput image) => SnapshotName ?? (image.Object as Qcow2Snapshot)?.Id;
}

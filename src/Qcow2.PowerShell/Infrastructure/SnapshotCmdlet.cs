using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that changes one snapshot of each image.</summary>
public abstract class SnapshotCmdlet : ImageCmdlet
{
    /// <summary>
    /// The snapshot, by its name or its id, as it stands; case matters only where it tells snapshots apart. What means several snapshots is
    /// an error that lists them, and <c>-Id</c> says which. It may be left out where the snapshot itself comes down the pipeline from
    /// <c>Get-Qcow2Snapshot</c>.
    /// </summary>
    [Parameter(Position = 1)]
    [Alias("Name", "CheckpointName")]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string? SnapshotName { get; set; }

    /// <summary>The snapshot, by its id. With <c>-SnapshotName</c>, too, it must fit both.</summary>
    [Parameter]
    [Alias("SnapshotId")]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string? Id { get; set; }

    /// <summary>Emits the snapshot. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    private protected sealed override void ProcessImage(ImageInput image)
    {
        SnapshotSelector wanted = SnapshotChoice.Of(image, SnapshotName, Id) ?? throw NotSpecified(image.Path);
        Qcow2Snapshot snapshot = wanted.Find(Qcow2ImageInfo.Read(image.Path));
        Qcow2Snapshot? changed = Change(snapshot);
        if (PassThru && changed is not null)
        {
            WriteObject(changed);
        }
    }

    /// <summary>Asks, and changes the snapshot.</summary>
    /// <returns>The snapshot as it is then; null if it was not changed.</returns>
    private protected abstract Qcow2Snapshot? Change(Qcow2Snapshot snapshot);

    /// <summary>A snapshot as people call it in a question.</summary>
    internal static string Describe(Qcow2Snapshot snapshot)
        => $"snapshot '{DisplayText.Printable(snapshot.Name)}' (id {DisplayText.Printable(snapshot.Id)}, {snapshot.CreationTime:g})";

    /// <summary>An image was given, and no snapshot of it.</summary>
    internal static ImageCmdletException NotSpecified(string path) => new("SnapshotNotSpecified", ErrorCategory.InvalidArgument,
        $"{path}: say which snapshot is meant: -SnapshotName or -Id, or a snapshot from Get-Qcow2Snapshot in place of the image.");
}

using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that changes one snapshot of each image.</summary>
public abstract class SnapshotCmdlet : ImageCmdlet
{
    /// <summary>
    /// The snapshot, by its id or its name, as it stands; case matters. It may be left out where the snapshot itself comes down
    /// the pipeline from <c>Get-Qcow2Snapshot</c>.
    /// </summary>
    [Parameter(Position = 1)]
    [Alias("Name", "CheckpointName", "SnapshotId", "Id")]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string? SnapshotName { get; set; }

    /// <summary>Emits the snapshot. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    private protected sealed override void ProcessImage(ImageInput image)
    {
        string wanted = SnapshotName ?? (image.Object as Qcow2Snapshot)?.Id ?? throw NotSpecified(image.Path);
        Qcow2Snapshot snapshot = Find(image.Path, wanted);
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
        $"{path}: say which snapshot is meant: -SnapshotName, or a snapshot from Get-Qcow2Snapshot in place of the image.");

    private static Qcow2Snapshot Find(string path, string wanted)
    {
        Qcow2Snapshot[] all = Qcow2ImageInfo.Read(path).Snapshots;
        Qcow2Snapshot[] found = [.. all.Where(snapshot => snapshot.Id == wanted)];
        found = found.Length > 0 ? found : [.. all.Where(snapshot => snapshot.Name == wanted)];
        string shown = DisplayText.Printable(wanted);
        return found.Length switch
        {
            1 => found[0],
            0 => throw NotFound(all.Length == 0
                ? $"{path}: there is no snapshot with the id or name '{shown}'; the image has none at all."
                : $"{path}: there is no snapshot with the id or name '{shown}'. Get-Qcow2Snapshot lists those there are."),
            _ => throw NotFound(
                $"{path}: {found.Length} snapshots are called '{shown}'; say which by its id: {string.Join(", ", found.Select(one => DisplayText.Printable(one.Id)))}."),
        };
    }

    private static Qcow2Exception NotFound(string message) => new(Qcow2ErrorCode.SnapshotNotFound, message);
}

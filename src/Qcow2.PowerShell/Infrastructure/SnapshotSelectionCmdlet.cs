using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that does the same for any number of snapshots of each image.</summary>
public abstract class SnapshotSelectionCmdlet : ImageCmdlet
{
    /// <summary>
    /// Names of the snapshots. Wildcards are permitted, and case does not matter. A name without wildcards that no snapshot has
    /// is an error.
    /// </summary>
    [Parameter(Position = 1)]
    [Alias("SnapshotName", "CheckpointName")]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[]? Name { get; set; }

    /// <summary>
    /// Ids of the snapshots, taken as they stand. An id that no snapshot has is an error. With <c>-Name</c>, too, a snapshot is
    /// selected only if it fits both.
    /// </summary>
    [Parameter]
    [Alias("SnapshotId")]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string[]? Id { get; set; }

    /// <inheritdoc/>
    private protected sealed override void ProcessImage(ImageInput image)
    {
        // A snapshot that comes down the pipeline stands for itself, not for all of its image's.
        string[]? ids = Id ?? (Name is null && image.Object is Qcow2Snapshot input ? [input.Id] : null);
        EnsureSelected(image.Path, Name is not null || ids is not null);
        Qcow2Snapshot[] snapshots = Qcow2ImageInfo.Read(image.Path).Snapshots;
        ReportMissing(image.Path, snapshots, Name, "name", snapshot => snapshot.Name, StringComparison.OrdinalIgnoreCase);
        ReportMissing(image.Path, snapshots, ids, "id", snapshot => snapshot.Id, StringComparison.Ordinal);

        WildcardPattern[]? patterns = Name?.Select(name => WildcardPattern.Get(name, WildcardOptions.IgnoreCase)).ToArray();
        ProcessSnapshots(image.Path, [.. snapshots.Where(snapshot
            => (patterns is null || patterns.Any(pattern => pattern.IsMatch(snapshot.Name)))
                && (ids is null || ids.Contains(snapshot.Id, StringComparer.Ordinal)))]);
    }

    /// <summary>Refuses, where the cmdlet must not take all snapshots because none was named.</summary>
    private protected virtual void EnsureSelected(string path, bool isSelected)
    {
    }

    /// <summary>Does the cmdlet's work for the snapshots of one image that were selected.</summary>
    private protected abstract void ProcessSnapshots(string path, IReadOnlyList<Qcow2Snapshot> snapshots);

    private void ReportMissing(
        string path, Qcow2Snapshot[] snapshots, string[]? wanted, string property, Func<Qcow2Snapshot, string> valueOf, StringComparison comparison)
    {
        bool hasWildcards = property == "name";
        foreach (string value in wanted ?? [])
        {
            if (hasWildcards && WildcardPattern.ContainsWildcardCharacters(value))
            {
                continue;
            }

            string exact = hasWildcards ? WildcardPattern.Unescape(value) : value;
            if (!snapshots.Any(snapshot => string.Equals(valueOf(snapshot), exact, comparison)))
            {
                string message = $"{path}: there is no snapshot with the {property} '{DisplayText.Printable(exact)}'.";
                WriteError(ErrorRecords.From(new Qcow2Exception(Qcow2ErrorCode.SnapshotNotFound, message), path));
            }
        }
    }
}

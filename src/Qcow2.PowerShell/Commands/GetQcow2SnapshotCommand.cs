using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Commands;

/// <summary>Gets the internal snapshots of QCOW2 disk images.</summary>
/// <remarks>
/// <para>
/// Get-Qcow2Snapshot lists the snapshots that lie inside an image, oldest first, as <c>qemu-img snapshot -l</c> does: id, name,
/// time, size of the disk then, and the size of the saved state of the virtual machine, if there is one. It changes
/// nothing and works on an image that is in use.
/// </para>
/// <para>
/// Snapshots that lie in files of their own (external snapshots) are overlays: see <c>Get-Qcow2Image -BackingChain</c>.
/// </para>
/// <para>
/// Names need not be unique within an image; ids are. A snapshot that is piped to another cmdlet is found there by its id.
/// </para>
/// </remarks>
/// <example>
/// <code>Get-Qcow2Snapshot web01.qcow2</code>
/// <para>All snapshots of an image.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Snapshot web01.qcow2 -Name 'before-*'</code>
/// <para>The snapshots whose names begin with <c>before-</c>.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Image *.qcow2 | Get-Qcow2Snapshot | Where-Object CreationTime -lt (Get-Date).AddMonths(-6)</code>
/// <para>Every snapshot older than half a year, of all images in the folder.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Snapshot web01.qcow2 -Id 3 | Convert-Qcow2Image -DestinationPath web01-3.raw</code>
/// <para>Writes the disk as it was at snapshot 3 to a raw file.</para>
/// </example>
/// <seealso cref="GetQcow2ImageCommand"/>
/// <seealso cref="ConvertQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.Get, "Qcow2Snapshot", DefaultParameterSetName = PathSet)]
[Alias("Get-Qcow2Checkpoint")]
[OutputType(typeof(Qcow2Snapshot), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class GetQcow2SnapshotCommand : ImageCmdlet
{
    /// <summary>
    /// Names of the snapshots to get. Wildcards are permitted, and case does not matter. A name without wildcards that no
    /// snapshot has is an error. By default all snapshots are emitted.
    /// </summary>
    [Parameter(Position = 1)]
    [Alias("SnapshotName", "CheckpointName")]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[]? Name { get; set; }

    /// <summary>
    /// Ids of the snapshots to get, taken as they stand. An id that no snapshot has is an error. With <c>-Name</c>, too, a
    /// snapshot is emitted only if it fits both.
    /// </summary>
    [Parameter]
    [Alias("SnapshotId")]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string[]? Id { get; set; }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        // A snapshot that comes down the pipeline stands for itself, not for all of its image's.
        string[]? ids = Id ?? (Name is null && image.Object is Qcow2Snapshot input ? [input.Id] : null);
        Qcow2Snapshot[] snapshots = Qcow2ImageInfo.Read(image.Path).Snapshots;
        ReportMissing(image.Path, snapshots, Name, "name", snapshot => snapshot.Name, StringComparison.OrdinalIgnoreCase);
        ReportMissing(image.Path, snapshots, ids, "id", snapshot => snapshot.Id, StringComparison.Ordinal);

        WildcardPattern[]? patterns = Name?.Select(name => WildcardPattern.Get(name, WildcardOptions.IgnoreCase)).ToArray();
        foreach (Qcow2Snapshot snapshot in snapshots)
        {
            bool isNamed = patterns is null || patterns.Any(pattern => pattern.IsMatch(snapshot.Name));
            if (isNamed && (ids is null || ids.Contains(snapshot.Id, StringComparer.Ordinal)))
            {
                WriteObject(snapshot);
            }
        }
    }

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

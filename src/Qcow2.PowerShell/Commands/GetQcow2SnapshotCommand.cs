using System.Management.Automation;
using Qcow2.Engine;
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
/// A damaged snapshot is listed, too, with a warning; its property <c>Problem</c> says what is wrong. It can be neither read nor restored,
/// but removed. <c>Repair-Qcow2Image -Mode All</c> mends what can be mended.
/// </para>
/// <para>
/// All snapshots are emitted unless <c>-Name</c> or <c>-Id</c> selects some. Names need not be unique within an image; ids are. A
/// snapshot that is piped to another cmdlet, also after a job, remoting, <c>Import-Clixml</c>, <c>Select-Object Path, Id, Name</c> or a CSV
/// file, is that snapshot there: if the image has none with its id, or one with another name or time, that is an error.
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
/// <example>
/// <code>Get-Qcow2Snapshot *.qcow2 | Select-Object Path, Id, Name, CreationTime | Export-Csv snapshots.csv; Import-Csv snapshots.csv | Export-Qcow2Snapshot -DestinationPath { "$($_.Name).raw" } -WhatIf</code>
/// <para>A list of snapshots in a file, and later what exporting the very same ones would do.</para>
/// </example>
/// <seealso cref="GetQcow2ImageCommand"/>
/// <seealso cref="CheckpointQcow2ImageCommand"/>
/// <seealso cref="RestoreQcow2SnapshotCommand"/>
/// <seealso cref="RemoveQcow2SnapshotCommand"/>
/// <seealso cref="ConvertQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.Get, "Qcow2Snapshot", DefaultParameterSetName = PathSet)]
[Alias("Get-Qcow2Checkpoint")]
[OutputType(typeof(Qcow2Snapshot), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class GetQcow2SnapshotCommand : SnapshotSelectionCmdlet
{
    /// <inheritdoc/>
    private protected override void ProcessSnapshots(string path, IReadOnlyList<Qcow2Snapshot> snapshots)
    {
        ReadInformation(new ImageInput(path)); // Of what is damaged in the table nothing is said by the snapshots.
        WriteObject(snapshots, enumerateCollection: true);
    }
}

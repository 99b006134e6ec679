using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Gives internal snapshots of QCOW2 disk images other names.</summary>
/// <remarks>
/// <para>
/// Rename-Qcow2Snapshot changes the name alone; the id, the time and the data stay. qemu-img has no such command. An image that another
/// program has open is refused. A crash or a power cut at any moment leaves the old name or the new one.
/// </para>
/// </remarks>
/// <example>
/// <code>Rename-Qcow2Snapshot web01.qcow2 before-patch -NewName '2026-11 baseline'</code>
/// <para>Renames a snapshot.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Snapshot *.qcow2 -Name 'tmp-*' | Rename-Qcow2Snapshot -NewName { $_.Name -replace '^tmp-', 'keep-' } -PassThru</code>
/// <para>Renames many snapshots by a rule, and shows them.</para>
/// </example>
/// <seealso cref="GetQcow2SnapshotCommand"/>
/// <seealso cref="CheckpointQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.Rename, "Qcow2Snapshot", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[Alias("Rename-Qcow2Checkpoint")]
[OutputType(typeof(Qcow2Snapshot), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class RenameQcow2SnapshotCommand : SnapshotCmdlet
{
    /// <summary>The new name, which no other snapshot of the image may have; at most 255 bytes in UTF-8.</summary>
    [Parameter(Mandatory = true, Position = 2, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string NewName { get; set; } = "";

    /// <inheritdoc/>
    private protected override Qcow2Snapshot? Change(Qcow2Snapshot snapshot)
    {
        if (!ShouldProcess(snapshot.Path, $"Rename {Describe(snapshot)} to '{DisplayText.Printable(NewName)}'"))
        {
            return null;
        }

        ImageChange.Run(snapshot.Path, (image, _) => image.RenameSnapshot(image.FindSnapshot(SnapshotSelector.Of(snapshot)), NewName), StopToken);
        snapshot.Name = NewName;
        return snapshot;
    }
}

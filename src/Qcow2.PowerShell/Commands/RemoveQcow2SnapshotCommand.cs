using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Deletes internal snapshots of QCOW2 disk images.</summary>
/// <remarks>
/// <para>
/// Remove-Qcow2Snapshot deletes snapshots from an image, as <c>qemu-img snapshot -d</c> does, and gives the space that only they took
/// back to the file system where that can make holes in files. The disk itself and the other snapshots stay as they are.
/// </para>
/// <para>
/// A snapshot has to be named, by <c>-Name</c>, <c>-Id</c> or by coming down the pipeline; <c>-Name *</c> deletes all. A name that several
/// snapshots have deletes none, and the error lists their ids. The cmdlet asks for
/// confirmation unless <c>-Confirm:$false</c> is given. An image that another program has open is refused. A crash or a power cut at any
/// moment leaves the image with the snapshot or without it.
/// </para>
/// <para>
/// A damaged snapshot is deleted as well. Where it cannot be told which space is its own, none is given back, and a warning says so:
/// <c>Repair-Qcow2Image -Mode Leaks</c> then gives back what nothing else uses.
/// </para>
/// </remarks>
/// <example>
/// <code>Remove-Qcow2Snapshot web01.qcow2 before-patch</code>
/// <para>Deletes one snapshot, after a question.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Snapshot *.qcow2 | Where-Object CreationTime -lt (Get-Date).AddDays(-30) | Remove-Qcow2Snapshot -Confirm:$false</code>
/// <para>Deletes every snapshot of the folder's images that is older than 30 days, without asking.</para>
/// </example>
/// <example>
/// <code>Remove-Qcow2Snapshot web01.qcow2 -Name 'nightly-*' -WhatIf</code>
/// <para>Says which snapshots would be deleted.</para>
/// </example>
/// <seealso cref="GetQcow2SnapshotCommand"/>
/// <seealso cref="CheckpointQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.Remove, "Qcow2Snapshot", DefaultParameterSetName = PathSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[Alias("Remove-Qcow2Checkpoint")]
[OutputType(typeof(Qcow2Snapshot), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class RemoveQcow2SnapshotCommand : SnapshotSelectionCmdlet
{
    /// <summary>Emits the snapshots that were deleted. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    private protected override bool TakesTwins => false;

    /// <inheritdoc/>
    private protected override void EnsureSelected(string path, bool isSelected)
    {
        if (!isSelected)
        {
            throw new ImageCmdletException("SnapshotNotSpecified", ErrorCategory.InvalidArgument,
                $"{path}: say which snapshots are meant: -Name or -Id, or snapshots from Get-Qcow2Snapshot in place of the image. -Name * means all.");
        }
    }

    /// <inheritdoc/>
    private protected override void ProcessSnapshots(string path, IReadOnlyList<Qcow2Snapshot> snapshots)
    {
        List<Qcow2Snapshot> chosen = [.. snapshots.Where(snapshot
            => ShouldProcess(path, $"Delete {SnapshotCmdlet.Describe(snapshot)}"))];
        if (chosen.Count == 0)
        {
            return;
        }

        List<string> warnings = ImageChange.Run(
            path,
            (image, token) =>
            {
                var kept = new List<string>();
                foreach (Qcow2Snapshot snapshot in chosen)
                {
                    if (image.DeleteSnapshot(image.FindSnapshot(SnapshotSelector.Of(snapshot)), token) is string reason)
                    {
                        kept.Add($"{path}: {SnapshotCmdlet.Describe(snapshot)} was removed, but the space that it took was not given back: {reason} "
                            + "Repair-Qcow2Image -Mode Leaks gives it back.");
                    }
                }

                return kept;
            },
            StopToken);
        warnings.ForEach(NoteDamage);
        if (PassThru)
        {
            WriteObject(chosen, enumerateCollection: true);
        }
    }
}

using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Brings the disks of QCOW2 images back to what they were when a snapshot was taken.</summary>
/// <remarks>
/// <para>
/// Restore-Qcow2Snapshot gives the disk the content and the size of an internal snapshot, as <c>qemu-img snapshot -a</c> does. What the
/// disk holds now is lost, unless another snapshot has it: take one first (<c>Checkpoint-Qcow2Image</c>). The snapshot stays, and can be
/// restored again. The cmdlet asks for confirmation unless <c>-Confirm:$false</c> is given.
/// </para>
/// <para>
/// An image that another program has open is refused, and one with bitmaps, for they would not tell what changed. A crash or a power
/// cut at any moment leaves the disk as it was or as the snapshot has it.
/// </para>
/// <para>
/// Where a virtual machine's state was saved with the snapshot, it stays in the image for QEMU to resume (<c>-loadvm</c>); the disk
/// alone is what a machine that was switched off at that moment would have.
/// </para>
/// </remarks>
/// <example>
/// <code>Restore-Qcow2Snapshot web01.qcow2 before-patch</code>
/// <para>Brings a disk back, after a question.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem *.qcow2 | Restore-Qcow2Snapshot -SnapshotName before-patch -Confirm:$false</code>
/// <para>Brings every disk of the folder back, without asking.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Snapshot web01.qcow2 | Sort-Object CreationTime | Select-Object -Last 1 | Restore-Qcow2Snapshot -WhatIf</code>
/// <para>Says what restoring the newest snapshot would do.</para>
/// </example>
/// <seealso cref="CheckpointQcow2ImageCommand"/>
/// <seealso cref="GetQcow2SnapshotCommand"/>
[Cmdlet(VerbsData.Restore, "Qcow2Snapshot", DefaultParameterSetName = PathSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[Alias("Restore-Qcow2Checkpoint")]
[OutputType(typeof(Qcow2Snapshot), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class RestoreQcow2SnapshotCommand : SnapshotCmdlet
{
    /// <inheritdoc/>
    private protected override Qcow2Snapshot? Change(Qcow2Snapshot snapshot)
    {
        if (!ShouldProcess(snapshot.Path, $"Restore {Describe(snapshot)}, and lose what the disk holds now"))
        {
            return null;
        }

        ImageChange.Run(
            snapshot.Path,
            (image, token) =>
            {
                image.ApplySnapshot(image.FindSnapshot(SnapshotSelector.Of(snapshot)), token);
                return true;
            },
            StopToken);
        return snapshot;
    }
}

using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Writes the disks of internal snapshots to files of their own.</summary>
/// <remarks>
/// <para>
/// Export-Qcow2Snapshot writes the disk as it was when a snapshot was taken to a new file, raw or qcow2, as <c>qemu-img convert -l</c> does, with
/// the data of the whole backing chain, decompressed and decrypted. The image is only read, and keeps the snapshot. What reads as zeros becomes
/// holes, so that the file takes little more space than it has data, where the file system can do that.
/// </para>
/// <para>
/// The new file is written under a temporary name beside its destination and moved into place when it is complete; when the export fails
/// or is stopped, nothing is left behind. An image that another program has open for writing is refused, unless <c>-ForceShare</c> is given.
/// </para>
/// <para>
/// A block device, pipe, socket or folder is never replaced, with <c>-Force</c> neither. Where the destination is a symbolic link, the file that it leads to is made or
/// replaced, in its own folder, and the link stays. A file that replaces another has its owner, group, mode, access list, extended attributes and labels; what cannot be kept is an
/// error before anything is done.
/// </para>
/// <para>
/// The format of the new file follows from its name, or from <c>-DestinationFormat</c>. The saved state of a virtual machine is not exported.
/// </para>
/// </remarks>
/// <example>
/// <code>Export-Qcow2Snapshot web01.qcow2 -SnapshotName before-patch -DestinationPath web01-before.raw</code>
/// <para>Writes the disk as it was at a snapshot.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Snapshot web01.qcow2 -Name 'nightly-*' | Export-Qcow2Snapshot -DestinationPath { "/backup/web01-$($_.Id).raw" } -PassThru</code>
/// <para>Writes every nightly snapshot to a file of its own, and shows what was written.</para>
/// </example>
/// <example>
/// <code>Export-Qcow2Snapshot web01.qcow2 -SnapshotName golden -DestinationPath golden.qcow2 -Compress</code>
/// <para>Makes a compressed image of a snapshot, to hand on.</para>
/// </example>
/// <seealso cref="GetQcow2SnapshotCommand"/>
/// <seealso cref="ConvertQcow2ImageCommand"/>
[Cmdlet(VerbsData.Export, "Qcow2Snapshot", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[Alias("Export-Qcow2Checkpoint")]
[OutputType(typeof(Qcow2ImageInfo), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet, UriSet])]
public sealed class ExportQcow2SnapshotCommand : ConversionCmdlet
{
    /// <inheritdoc/>
    private protected override DiskSource SourceFor(ImageInput image)
    {
        DiskSource source = base.SourceFor(image);
        return source.Snapshot is not null ? source : throw SnapshotCmdlet.NotSpecified(image.Path);
    }
}

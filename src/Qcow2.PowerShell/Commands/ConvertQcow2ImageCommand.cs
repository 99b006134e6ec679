using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Commands;

/// <summary>Converts QCOW2 disk images to raw disk images.</summary>
/// <remarks>
/// <para>
/// Convert-Qcow2Image writes the disk of an image, as the guest sees it, to a new file: with the data of its whole backing
/// chain, decompressed and decrypted, byte for byte what <c>qemu-img convert -O raw</c> writes. What reads as zeros becomes
/// holes, so that the file takes little more space than it has data, where the file system can do that.
/// </para>
/// <para>
/// The new file is written under a temporary name beside its destination and moved into place when it is complete. Until
/// then the destination stays as it was; when the conversion fails or is stopped, nothing is left behind.
/// </para>
/// <para>
/// The source is only read. An image that another program has open for writing is refused, unless <c>-ForceShare</c> is
/// given. Backing files must be there, and are opened because the image names them: for images from people you do not trust,
/// see <c>-ReferencePolicy</c>.
/// </para>
/// <para>
/// This version writes raw images only.
/// </para>
/// </remarks>
/// <example>
/// <code>Convert-Qcow2Image web01.qcow2 web01.raw</code>
/// <para>Converts an image to a raw file.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem *.qcow2 | Convert-Qcow2Image -DestinationPath { $_.FullName -replace '\.qcow2$', '.raw' } -PassThru</code>
/// <para>Converts every image of the folder, each to a file of its own, and shows what was written.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image web01.qcow2 -SnapshotName before-upgrade -DestinationPath web01-before.raw</code>
/// <para>Writes the disk as it was when the snapshot was taken.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image vault.qcow2 vault.raw -Passphrase (Read-Host -AsSecureString 'Passphrase')</code>
/// <para>Decrypts an image. The raw file is not encrypted.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image upload.qcow2 upload.raw -ReferencePolicy Forbid</code>
/// <para>Converts an image from somebody else, and refuses it if it names a backing file or a data file.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem *.qcow2 | Convert-Qcow2Image -DestinationPath { "/backup/$($_.BaseName).raw" } -Force -WhatIf</code>
/// <para>Says what would be converted to where, existing files replaced, and writes nothing.</para>
/// </example>
/// <seealso cref="GetQcow2ImageCommand"/>
/// <seealso cref="GetQcow2SnapshotCommand"/>
/// <seealso cref="ExportQcow2SnapshotCommand"/>
[Cmdlet(VerbsData.Convert, "Qcow2Image", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2ImageInfo), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class ConvertQcow2ImageCommand : ConversionCmdlet
{
}

using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Gets what QCOW2 disk images say of themselves: size, format, backing file, encryption, snapshots, state.</summary>
/// <remarks>
/// <para>
/// Get-Qcow2Image reads the header, the snapshot table and the list of bitmaps of each image, as <c>qemu-img info</c> does. It
/// reads no data of the disk, changes nothing, takes no lock and needs no passphrase, so it also works on the image of a
/// running virtual machine; such an image is shown as <c>in use</c>.
/// </para>
/// <para>
/// The numbers of the emitted objects are bytes. The default views show them in binary units; pipe to
/// <c>Format-List</c> for everything a person may want to know, and look at the property <c>Header</c> for every field and
/// extension of the image's header.
/// </para>
/// <para>
/// A VHD (Virtual PC, Hyper-V, Azure) is described, too: <c>Subformat</c>, which is also called <c>VhdType</c>, says whether it is <c>Fixed</c>, <c>Dynamic</c> or
/// <c>Differencing</c>, <c>DiskIdentifier</c> and <c>ParentIdentifier</c> are the unique ids, and <c>Vhd</c> has what else its headers say.
/// VHDX, VMDK, VDI, QCOW (version 1), QED and Parallels images are described the same way, with what only they have in <c>Vhdx</c> and <c>Vmdk</c>: whether a log is to be replayed, what extents there are.
/// Of a raw disk there are its sizes; it is one by its name (<c>.raw</c>, <c>.img</c>, <c>.iso</c>, <c>.dd</c> or <c>.bin</c>) or by <c>-SourceFormat</c>.
/// </para>
/// <para>
/// Where the table of snapshots, a snapshot, the list of bitmaps or a header extension is damaged, the rest is shown all the same, with a
/// warning. The property <c>Problems</c> says what is wrong, and so does the property <c>Problem</c> of a snapshot or bitmap.
/// </para>
/// <para>
/// With <c>-BackingChain</c> the files that the image is layered on follow it, from the top down, and the property
/// <c>Depth</c> says how far down each lies. Where a base is missing or cannot be opened, the image that names it says so in its
/// property <c>BackingFileProblem</c>, and an error follows that does not end the pipeline; <c>Set-Qcow2Image -MetadataOnly</c> mends
/// a name that has changed.
/// </para>
/// <para>
/// Of a compressed file (<c>.gz</c>, <c>.xz</c>, <c>.zst</c>, <c>.bz2</c>) the disk inside is described, and <c>PackedIn</c> says what it is in. All of it is unpacked only where the image has
/// something to show that lies far from its start. Of an OVA each disk is an object, with its <c>DiskName</c>.
/// </para>
/// </remarks>
/// <example>
/// <code>Get-Qcow2Image web01.qcow2</code>
/// <para>Shows the sizes of an image and what is special about it.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem -Recurse -Filter *.qcow2 | Get-Qcow2Image | Sort-Object AllocatedSize -Descending | Select-Object -First 10</code>
/// <para>The ten images below the current folder that take the most space.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Image overlay.qcow2 -BackingChain | Format-Table Depth, Path, Format, Size</code>
/// <para>The image and everything it is layered on.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Image *.qcow2 -BackingChain -ErrorAction SilentlyContinue | Where-Object BackingFileProblem | Format-List Path, BackingFile, BackingFileProblem</code>
/// <para>The images whose backing file is missing, and why.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Image *.qcow2 | Where-Object { $_.IsDirty -or $_.IsCorrupt }</code>
/// <para>The images that need a check, because they were not closed well or are marked as corrupt.</para>
/// </example>
/// <example>
/// <code>(Get-Qcow2Image web01.qcow2).Header.Extensions</code>
/// <para>Every extension of the image's header, those that nobody knows included.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Image -Uri https://cloud-images.ubuntu.com/noble/current/noble-server-cloudimg-amd64.img</code>
/// <para>What an image on a server is, of which only some hundred KiB are read.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Image appliance.ova | Format-Table DiskName, Format, Size</code>
/// <para>The disks in an OVA.</para>
/// </example>
/// <seealso cref="GetQcow2SnapshotCommand"/>
/// <seealso cref="GetQcow2ExtentCommand"/>
/// <seealso cref="ConvertQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.Get, "Qcow2Image", DefaultParameterSetName = PathSet)]
[OutputType(typeof(Qcow2ImageInfo), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet, UriSet])]
public sealed class GetQcow2ImageCommand : WebCmdlet
{
    /// <summary>
    /// Also gets the files that the image is layered on, each after the one above it. By default only the image itself is
    /// read, and no other file is opened.
    /// </summary>
    [Parameter]
    public SwitchParameter BackingChain { get; set; }

    /// <summary>
    /// What the image is. By default a file that begins as one of the formats does, or ends as a VHD does, is one, and others are raw if their name says so: <c>.raw</c>, <c>.img</c>,
    /// <c>.iso</c>, <c>.dd</c> or <c>.bin</c>, and their content is not plainly something else. What bears the mark of an image under such a name is an error, but for QCOW2 under <c>.img</c>. Say it of a VHD that was cut off, of a raw disk with another name, and of one that a guest wrote whom you do
    /// not trust: it could have made it look like an image that names a file of this machine.
    /// </summary>
    /// <value>By the file's content and name</value>
    [Parameter]
    public DiskImageFormat? SourceFormat { get; set; }

    /// <inheritdoc/>
    private protected override bool TakesRaw => true;

    /// <inheritdoc/>
    private protected override PackedUse Use => PackedUse.Header;

    /// <inheritdoc/>
    private protected override bool TakesEachDisk => true;

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        DiskFormat format = DiskSource.FormatOf(image, SourceFormat);
        if (!BackingChain || format == DiskFormats.Raw)
        {
            WriteObject(ReadInformation(image, format));
            return;
        }

        foreach (Qcow2ImageInfo info in image.Location.ReadChain(format, OptionsFor(image.Path)))
        {
            NoteDamage(info);
            WriteObject(info);
            if (info is { Depth: > 0, Format: "raw" } && FormatWord.Contradiction(info.Path, "raw") is string content)
            {
                WriteWarning($"{info.Path}: this is taken for a raw disk, as the image above it says, but it {content}.");
            }
        }
    }
}

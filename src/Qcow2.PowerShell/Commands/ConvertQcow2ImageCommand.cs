using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Converts disk images between QCOW2, raw, VHDX, VHD, VMDK and VDI.</summary>
/// <remarks>
/// <para>
/// Convert-Qcow2Image writes the disk of an image, as the guest sees it, to a new file: with the data of its whole backing chain,
/// decompressed and decrypted, as <c>qemu-img convert</c> does. What reads as zeros takes no space in the new file, where that is possible.
/// The format of the new file follows from its name, or from <c>-DestinationFormat</c>; it gets the layout that the parameters of
/// <c>New-Qcow2Image</c> say. Internal snapshots of the source are not copied, and bitmaps only with <c>-CopyBitmaps</c>.
/// </para>
/// <para>
/// The new file is written under a temporary name beside its destination and moved into place when it is complete. Until then the
/// destination stays as it was; when the conversion fails or is stopped, nothing is left behind. The same disk makes the same bytes,
/// however many threads do the work; encrypted images have a new key each time.
/// </para>
/// <para>
/// A block device, pipe, socket or folder is never replaced, with <c>-Force</c> neither; a disk is written into a device with <c>-NoCreate</c>. Where the destination is a symbolic link, the file that it leads to is made or
/// replaced, in its own folder, and the link stays. A file that replaces another has its owner, group, mode, access list, extended attributes and labels; what cannot be kept is an
/// error before anything is done.
/// </para>
/// <para>
/// The source is only read. An image that another program has open for writing is refused, unless <c>-ForceShare</c> is given. Backing
/// files must be there, and are opened because the image names them: for images from people you do not trust, see
/// <c>-ReferencePolicy</c>.
/// </para>
/// <para>
/// A VHD (Virtual PC, Hyper-V, Azure) as the source is recognised by its last bytes: fixed, dynamic or differencing, whose parent is found where the VHD says, and must
/// have the unique id that it recorded. Of one that was cut off say <c>-SourceFormat Vhd</c>, and <c>-Salvage</c> where blocks are missing.
/// </para>
/// <para>
/// VHDX (Hyper-V), VMDK (VMware) and VDI (VirtualBox) as the source are recognised by their first bytes. What the log of a VHDX that was not closed holds is part of its disk.
/// Of a VMDK disk of several files name the descriptor; its extents lie beside it. Parents of VHDX and VMDK are found where the child says, and must be as the child left them.
/// A differencing VDI (a snapshot of VirtualBox) does not say where its parent is: name the files of its chain with <c>-SourceParentPath</c>.
/// QCOW images of version 1, QED images (QEMU) and expanding disks of Parallels (<c>.hds</c>) are recognised the same way. The first two can have a backing file; its format is not recorded, so say it with
/// <c>-BackingFormat</c>.
/// </para>
/// <para>
/// A raw disk as the source is recognised by its name: <c>.raw</c>, <c>.img</c>, <c>.iso</c>, <c>.dd</c> or <c>.bin</c>. Any other needs
/// <c>-SourceFormat Raw</c>. A file with such a name that is plainly something else (compressed, an archive, a DMG image, a web page in
/// place of a download) is refused, and the error says what it is. Say <c>-SourceFormat Raw</c> of every raw disk that a guest you do not trust has written, too: it could have made it look like a
/// qcow2 image that names a file of this machine.
/// </para>
/// <para>
/// Compressed files are taken as they are downloaded: <c>.gz</c>, <c>.xz</c>, <c>.zst</c> and <c>.bz2</c>, told by their first bytes and their name. A raw disk in one is unpacked as it is read, other images
/// into a temporary file beside the destination. All check sums are compared: a download that is cut off or damaged is an error, and leaves no file. Of an OVA say with <c>-DiskName</c> which disk is
/// meant, if it has several; where its manifest has a sum for the disk, another one is an error, unless <c>-Salvage</c> insists. See docs/compressed.md.
/// </para>
/// <para>
/// The partition table on the disk is not changed. A warning says where the new disk does not fit it: where it counts in sectors of another size than the new disk has, and where the new disk is
/// larger, so that the backup of a GPT does not lie at its end.
/// </para>
/// <para>
/// Compressed clusters are written as QEMU does: deflate with a window of 4 KiB, so that every reader understands them, or zstd. The
/// same disk and level become the same compressed bytes in Windows PowerShell and in PowerShell 7.
/// </para>
/// </remarks>
/// <example>
/// <code>Convert-Qcow2Image web01.qcow2 web01.raw</code>
/// <para>Converts an image to a raw file.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image web01.qcow2 web01.vhdx</code>
/// <para>Makes a dynamic disk for Hyper-V, laid out as Windows does it.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image web01.qcow2 web01.vhd -AzureReady</code>
/// <para>Makes a fixed VHD that can be uploaded to Azure: its disk is rounded up to a whole number of MiB.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image web01.qcow2 web01.vmdk -DestinationType StreamOptimized</code>
/// <para>Makes a compressed VMDK for an OVA package, or to import into vSphere. <c>-DestinationType Vmfs</c> makes one that ESXi runs.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image debian.img debian.qcow2 -Compress -CompressionType Zstd</code>
/// <para>Packs a raw disk into a compressed image.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem *.qcow2 | Convert-Qcow2Image -DestinationPath { $_.FullName -replace '\.qcow2$', '.raw' } -PassThru</code>
/// <para>Converts every image of the folder, each to a file of its own, and shows what was written.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image web01.qcow2 web01-thin.qcow2 -BackingFile base.qcow2 -BackingFormat qcow2</code>
/// <para>Writes an overlay that holds only what differs from another image.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image web01.qcow2 -SnapshotName before-upgrade -DestinationPath web01-before.qcow2</code>
/// <para>Writes the disk as it was when the snapshot was taken.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image vault.qcow2 vault.raw -Passphrase (Read-Host -AsSecureString 'Passphrase')</code>
/// <para>Decrypts an image. The raw file is not encrypted.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image plain.qcow2 vault.qcow2 -Encryption Luks -DestinationPassphrase (Read-Host -AsSecureString 'New passphrase')</code>
/// <para>Encrypts an image.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image web01.qcow2 /dev/vg0/web01 -NoCreate -DestinationFormat Raw</code>
/// <para>Writes a disk to a device that exists and is large enough.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image vault.qcow2 copy.qcow2 -Passphrase $old -Encryption Luks -DestinationPassphrase $new</code>
/// <para>Makes a copy of an encrypted image with another passphrase. Without <c>-Encryption</c> the copy is not encrypted.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image overlay.qcow2 whole.raw -Passphrase $mine -BackingPassphrase @{ 'base.qcow2' = $theirs; 'golden.qcow2' = $ours }</code>
/// <para>Reads a chain of encrypted images, each with its own passphrase. Where all below have one, <c>-BackingPassphrase $theirs</c> is enough.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image damaged.qcow2 rescued.raw -Salvage -WarningVariable lost</code>
/// <para>Saves what can be read. The warnings, which are in <c>$lost</c> afterwards, say what is lost.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image debian-12-generic-amd64.raw.xz debian.vhdx</code>
/// <para>Converts a download that is compressed, without a temporary file.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image appliance.ova data.qcow2 -DiskName appliance-disk2.vmdk</code>
/// <para>Converts one of the disks of an OVA.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image part1.raw, part2.raw joined.qcow2 -Concatenate</code>
/// <para>Makes one disk of two, one after the other.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image upload.qcow2 upload.raw -ReferencePolicy Forbid</code>
/// <para>Converts an image from somebody else, and refuses it if it names a backing file or a data file.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem *.qcow2 | Convert-Qcow2Image -DestinationPath { "/backup/$($_.BaseName).raw" } -Force -WhatIf</code>
/// <para>Says what would be converted to where, existing files replaced, and writes nothing.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image -Uri https://cloud-images.ubuntu.com/noble/current/noble-server-cloudimg-amd64.img noble.vhdx -Verbose</code>
/// <para>Makes a disk for Hyper-V of an image on a server, without a download in between, and says how much was read.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image -Uri https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-generic-amd64.qcow2 debian.qcow2 -Compress -CompressionType Zstd -ExpectedHash $sha512</code>
/// <para>The same with the hash that Debian publishes in SHA512SUMS: the file is downloaded first, into a temporary file beside the destination, and only used if it has that hash.</para>
/// </example>
/// <seealso cref="GetQcow2ImageCommand"/>
/// <seealso cref="GetQcow2SnapshotCommand"/>
/// <seealso cref="ExportQcow2SnapshotCommand"/>
/// <seealso cref="NewQcow2ImageCommand"/>
[Cmdlet(VerbsData.Convert, "Qcow2Image", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2ImageInfo), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet, UriSet])]
public sealed class ConvertQcow2ImageCommand : ConversionCmdlet
{
    private readonly List<DiskSource> _joined = [];

    /// <summary>
    /// What the source is: <c>Qcow2</c>, <c>Raw</c>, <c>Vhd</c>, <c>Vhdx</c>, <c>Vmdk</c>, <c>Vdi</c>, <c>Qcow</c>, <c>Qed</c> or <c>Parallels</c>. By default a file that begins as one of these formats does, or ends as a VHD does, is one, and others are raw if their
    /// name says so: <c>.raw</c>, <c>.img</c>, <c>.iso</c>, <c>.dd</c> or <c>.bin</c>, and their content is not plainly something else.
    /// What bears the mark of an image under such a name is an error, but for QCOW2 under <c>.img</c>.
    /// </summary>
    /// <value>By the file</value>
    [Parameter]
    public DiskImageFormat? SourceFormat { get; set; }

    /// <summary>
    /// Joins all sources, in the order in which they are given, into one disk. Each begins where a sector of 512 bytes does.
    /// </summary>
    [Parameter]
    public SwitchParameter Concatenate { get; set; }

    /// <summary>
    /// Copies the persistent bitmaps of the source into the new qcow2 image, with all that they record. Not of a snapshot, a raw disk or
    /// several sources. A bitmap that was never saved is an error, unless <c>-SkipBrokenBitmaps</c> is given.
    /// </summary>
    [Parameter]
    public SwitchParameter CopyBitmaps { get; set; }

    /// <summary>Leaves out bitmaps that were never saved, and warns of each. It goes with <c>-CopyBitmaps</c>.</summary>
    [Parameter]
    public SwitchParameter SkipBrokenBitmaps { get; set; }

    /// <summary>
    /// Deletes the source when the new file is complete. An external data file, the extents that a VMDK descriptor names, and backing files are left. An image with internal
    /// snapshots, which are not copied, is refused.
    /// </summary>
    [Parameter]
    public SwitchParameter DeleteSource { get; set; }

    /// <inheritdoc/>
    private protected override bool KeepsOpen => Concatenate; // All are read at the end.

    /// <inheritdoc/>
    private protected override bool DeletesSources => DeleteSource;

    /// <inheritdoc/>
    private protected override string Afterwards => DeleteSource ? " and delete the source" : "";

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        Refuse(DeleteSource && IsWeb, "-DeleteSource deletes files of this computer, and no image at an address.", nameof(DeleteSource));
        Refuse(DeleteSource && (SnapshotName ?? Id) is not null, "-DeleteSource would delete the whole image, and not only the snapshot of -SnapshotName or -Id.", nameof(DeleteSource));
        Refuse(DeleteSource && Salvage, "-Salvage may lose what only the source has, so that -DeleteSource does not go with it.", nameof(DeleteSource));
        Refuse(DeleteSource && ForceShare, "-ForceShare reads what another program may be writing, so that -DeleteSource does not go with it.", nameof(DeleteSource));
        Refuse(DeleteSource && BackingFile is not null, "An overlay of -BackingFile may need the source, so that -DeleteSource does not go with it.", nameof(DeleteSource));
    }

    /// <inheritdoc/>
    private protected override void Preview(IReadOnlyList<ImageInput> images)
    {
        if (!Concatenate)
        {
            base.Preview(images);
        }
    }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        DiskSource source = SourceFor(image);
        EnsureDeletable(image, source);
        if (Concatenate)
        {
            _joined.Add(source);
        }
        else
        {
            Convert([source]);
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (_joined.Count > 0)
        {
            ForFile(_joined[0].Path, () =>
            {
                if (HasErrors)
                {
                    throw new ImageCmdletException("SourceMissing", ErrorCategory.InvalidData,
                        $"{DestinationPath}: not all of the disks to join could be used, so that nothing was written.");
                }

                Convert(_joined);
            });
        }

        else if (Concatenate && !HasErrors)
        {
            WriteError(ErrorRecords.From(
                new ImageCmdletException("SourceMissing", ErrorCategory.InvalidData, $"{DestinationPath}: no disk to join was given, so that nothing was written."), DestinationPath));
        }

        base.EndProcessing();
    }

    /// <inheritdoc/>
    private protected override bool TakesRaw => true;

    /// <inheritdoc/>
    private protected override DiskSource SourceFor(ImageInput image)
        => DiskSource.Of(image, SourceFormat, OptionsFor(image.Path) with { Salvage = Salvage }, SnapshotOf(image));

    /// <inheritdoc/>
    private protected override ConversionOptions Options() => base.Options() with { CopyBitmaps = CopyBitmaps, SkipBrokenBitmaps = SkipBrokenBitmaps };

    private void EnsureDeletable(ImageInput image, DiskSource source)
    {
        if (!DeleteSource)
        {
            return;
        }

        if (image.Location is PackedImage)
        {
            throw ImageCmdletException.NotPossible($"{image.Path}: -DeleteSource deletes images, and no files that images are packed in.");
        }

        if (Destination.At(image.Path).Kind == FileKind.BlockDevice)
        {
            throw ImageCmdletException.NotPossible($"{image.Path}: this is a device; -DeleteSource deletes files.");
        }

        if (!source.Format.HasSnapshots)
        {
            return;
        }

        if (source.Snapshot is not null || Qcow2ImageInfo.Read(image.Path).Snapshots.Length > 0)
        {
            throw DiskConversion.SnapshotsWouldBeLost(image.Path);
        }
    }
}

using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Gives the disks of QCOW2 images, and raw disks, another size.</summary>
/// <remarks>
/// <para>
/// Resize-Qcow2Image makes the virtual disk larger or smaller, as <c>qemu-img resize</c> does. What is added reads as zeros. The
/// partitions and file systems on the disk are not touched: grow them in the guest afterwards.
/// </para>
/// <para>
/// A raw disk is resized, too: a file that is called one and does not begin as something else, or what <c>-SourceFormat Raw</c> says is one. Disks of other formats are
/// an error that says what to do: a VHD, VHDX, VMDK or VDI is converted to a qcow2 image or a raw disk first, or resized by the program that it belongs to. So is a raw disk that is a
/// block device, for the device itself has to be made larger or smaller.
/// </para>
/// <para>
/// A raw external data file is the disk. Where it is longer already, because another program lengthened it, nothing in it is overwritten:
/// it shows up as a part of the disk that grows. What another data file holds past its disk stays in the file, and the disk shows zeros. A
/// disk that gets smaller cuts off its data file at its new end, whatever was past it.
/// </para>
/// <para>
/// The partition table on the disk is looked at, and a warning says what the new size does to it: a partition that would be cut off, and the backup of a GPT, which belongs at the end of
/// the disk and is moved there in the guest, by <c>sgdisk -e</c> or by <c>Update-Disk</c>. <c>-WhatIf</c> warns, too; <c>Get-Qcow2Partition</c> shows the table.
/// </para>
/// <para>
/// A smaller disk loses what lay past its new end, for good: make partitions and file systems smaller first. It needs
/// <c>-AllowShrink</c>, and asks for confirmation unless <c>-Confirm:$false</c> is given.
/// </para>
/// <para>
/// An image that another program has open is refused. When the host fails, the image has the old size or the new one. When
/// the command is stopped while it preallocates, the image has its old size, and what it took is given back.
/// </para>
/// </remarks>
/// <example>
/// <code>Resize-Qcow2Image web01.qcow2 80GB</code>
/// <para>Makes a disk larger.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Image *.qcow2 | Resize-Qcow2Image -SizeBytes +10GB -PassThru</code>
/// <para>Makes every disk of the folder 10 GiB larger than it is.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Image *.qcow2 | Where-Object Size -lt 20GB | Resize-Qcow2Image -SizeBytes 20GB -PassThru</code>
/// <para>Makes every disk of the folder that has less than 20 GiB that large, and shows those images.</para>
/// </example>
/// <example>
/// <code>Resize-Qcow2Image db01.qcow2 1TB -Preallocation Falloc</code>
/// <para>Makes a disk larger, and has the host reserve the space for what is added.</para>
/// </example>
/// <example>
/// <code>Resize-Qcow2Image scratch.qcow2 10GB -AllowShrink -Confirm:$false</code>
/// <para>Cuts a disk off at 10 GiB without asking.</para>
/// </example>
/// <example>
/// <code>Resize-Qcow2Image cloud.raw 20GB -Preallocation Falloc</code>
/// <para>Makes a raw disk larger, and has the host reserve the space for what is added.</para>
/// </example>
/// <seealso cref="GetQcow2ImageCommand"/>
/// <seealso cref="GetQcow2PartitionCommand"/>
/// <seealso cref="NewQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.Resize, "Qcow2Image", DefaultParameterSetName = PathSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(Qcow2ImageInfo), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class ResizeQcow2ImageCommand : DiskWritingCmdlet
{
    private bool _yesToAll;
    private bool _noToAll;

    /// <summary>
    /// The new size of the disk, in bytes or with a binary unit: <c>80GB</c>, <c>"1.5T"</c>. With a sign it is how much larger or smaller
    /// each disk becomes: <c>+10GB</c>, and with <c>-AllowShrink</c> <c>-5GB</c>. A number below 4096 without a unit must be a multiple of
    /// 512: <c>40</c> is an error, because <c>40GB</c> is meant, and <c>40B</c> says that 40 bytes are. Numbers are written as in scripts,
    /// whatever the culture: with a point before a fraction, and nothing between thousands. A disk has whole sectors of 512 bytes: other sizes
    /// are rounded up, which <c>-Verbose</c> says. <c>qemu-img resize</c> refuses them. A raw disk gets the size as it is, as there.
    /// </summary>
    [Parameter(Mandatory = true, Position = 1)]
    [Alias("Size")]
    [ByteSize(Kind = ByteSizeKind.DiskOrChange)]
    public NewDiskSize SizeBytes { get; set; }

    /// <summary>Allows the disk to get smaller, which destroys what lies past its new end.</summary>
    [Parameter]
    [Alias("Shrink")]
    public SwitchParameter AllowShrink { get; set; }

    /// <summary>
    /// What is allocated in advance of the part that is added. By default nothing: the file grows as the disk is written.
    /// <c>Metadata</c> makes the tables and leaves the file sparse, <c>Falloc</c> has the host reserve the space, <c>Full</c> writes
    /// zeros to all of it and takes its time. The disk can't get smaller with it. Of an encrypted image it needs <c>-Passphrase</c>. A raw
    /// disk has no tables, so that it takes <c>Falloc</c> and <c>Full</c>.
    /// </summary>
    [Parameter]
    public Preallocation Preallocation { get; set; }

    /// <summary>
    /// What the file is: <c>Qcow2</c> or <c>Raw</c>. By default a file that begins as a qcow2 image is one, and others are raw if their name says so: <c>.raw</c>, <c>.img</c>,
    /// <c>.iso</c>, <c>.dd</c> or <c>.bin</c>, and their content is not plainly something else. What bears the mark of an image under such a name is an error, but for QCOW2 under
    /// <c>.img</c>. Say it of a raw disk with another name, and of one that a guest wrote whom you do not trust.
    /// </summary>
    /// <value>By the file's content and name</value>
    [Parameter]
    public DiskImageFormat? SourceFormat { get; set; }

    /// <inheritdoc/>
    private protected override bool TakesRaw => true;

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        SnapshotChoice.RequireActiveDisk(image, "resized");
        DiskFormat format = FormatOf(image);
        bool isRaw = format == DiskFormats.Raw;
        Qcow2ImageInfo info = format.ReadInformation(image.Path);
        long old = info.Size;
        long asked = SizeBytes.From(image.Path, old);
        long size = isRaw ? asked : DiskSize.RoundUp(asked);
        if (size != asked)
        {
            WriteVerbose(DisplayText.RoundedSize(image.Path, asked, size));
        }

        string change = $"from {DisplayText.SizeAndBytes(old)} to {DisplayText.SizeAndBytes(size)}{SizeBytes.Describe()}";
        if (size < old && !AllowShrink)
        {
            throw new ImageCmdletException("ShrinkNotAllowed", ErrorCategory.InvalidOperation,
                $"{image.Path}: the disk would shrink {change}, and what lies past its new end would be destroyed. Use -AllowShrink if that is meant.");
        }

        if (size < old && Preallocation != Preallocation.Off)
        {
            throw ImageCmdletException.Contradiction($"{image.Path}: -Preallocation is about what is added to a disk, and this one would shrink {change}.");
        }

        if (isRaw && Preallocation == Preallocation.Metadata)
        {
            throw ImageCmdletException.Contradiction($"{image.Path}: a raw disk has no tables that could be preallocated. Use -Preallocation Falloc or Full, or none.");
        }

        Qcow2OpenOptions options = OptionsFor(image.Path);
        WarnOfPartitions(() => format.Open(image.Path, options with { Writable = false, ForceShare = true }, StopToken), image.Path, size);
        if (!ShouldProcess(image.Path, $"Resize the disk {change}") || (size < old && !ShouldShrink(image.Path, change)))
        {
            return;
        }

        if (size > old && Preallocation is Preallocation.Falloc or Preallocation.Full)
        {
            WarnOfFullDisk(() => new SpaceNeed(
                options.DataFile ?? (info.DataFile is null ? null : ImageCreation.Beside(image.Path, info.DataFile)) ?? image.Path, size - old));
        }

        var operation = new TrackedOperation($"Resizing {DisplayText.Printable(System.IO.Path.GetFileName(image.Path))}")
        {
            Done = -1,
            Total = Math.Max(0, size - old),
        };
        operation.Run(stop => Resize(image.Path, isRaw, options, size, operation, stop), WriteProgress, StopToken);
        if (PassThru)
        {
            WriteObject(format.ReadInformation(image.Path));
        }
    }

    /// <summary>Before anything is asked or done: who shrinks a disk below its last partition should know.</summary>
    private void WarnOfPartitions(Func<VirtualDisk> open, string path, long size)
    {
        foreach (string problem in PartitionWarnings.OfResize(open, size, StopToken))
        {
            WriteWarning($"{path}: {problem}");
        }
    }

    /// <summary>What the file is, of the two kinds that are resized.</summary>
    private DiskFormat FormatOf(ImageInput image)
    {
        DiskFormat format = DiskSource.FormatOf(image, SourceFormat);
        if (format == DiskFormats.Raw)
        {
            return Destination.At(image.Path).Kind != FileKind.BlockDevice ? format : throw ImageCmdletException.NotPossible(
                $"{image.Path}: this is a block device, whose size is not changed by writing to it. Make the device itself larger or smaller: a logical volume with lvresize, for one.");
        }

        return format == DiskImageFormat.Qcow2.Known() ? format : throw new Qcow2Exception(Qcow2ErrorCode.NotQcow2,
            $"{image.Path}: this is {format.Description}, whose disk is not changed in place. Convert it to a qcow2 image or a raw disk with Convert-Qcow2Image, resize that, and convert it back; "
            + "or resize it with the program that it belongs to.");
    }

    private bool ShouldShrink(string path, string change)
        => ShouldContinueAtHighImpact($"{path}: shrink the disk {change}? What lies past its new end is destroyed.", "Shrink the disk", ref _yesToAll, ref _noToAll);

    private void Resize(string path, bool isRaw, Qcow2OpenOptions options, long size, TrackedOperation operation, CancellationToken stop)
    {
        if (isRaw)
        {
            using var disk = RawDisk.Open(path, options);
            disk.Resize(size, AllowShrink, Preallocation, operation, stop);
            return;
        }

        using Qcow2Image image = Qcow2Image.Open(path, options, stop);
        if (size == image.Length)
        {
            return;
        }

        image.Resize(size, AllowShrink, Preallocation, operation, stop);
        image.Flush();
    }
}

using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Reads bytes of the disks of QCOW2 images.</summary>
/// <remarks>
/// <para>
/// Read-Qcow2Image reads a range of the disk as the guest sees it: with the data of its whole backing chain, decompressed and
/// decrypted. It emits one array of bytes for each image, or writes the bytes to the file of <c>-OutputFile</c>.
/// </para>
/// <para>
/// The image may be a VHD, VHDX, VMDK, VDI, QCOW (version 1), QED or Parallels one, too, or a raw disk.
/// </para>
/// <para>
/// Where the range passes the end of the disk, what lies before the end is read. An array holds 1 GiB at most: for more, use
/// <c>-OutputFile</c>. The file is complete or not there: it is written under a temporary name and then moved into place.
/// A block device, pipe, socket or folder is never replaced; a symbolic link stands for the file that it leads to. A file that replaces another has its owner, group, mode, access
/// list, extended attributes and labels.
/// </para>
/// <para>
/// An image that another program has open for writing is refused, unless <c>-ForceShare</c> is given.
/// </para>
/// </remarks>
/// <example>
/// <code>Read-Qcow2Image web01.qcow2 -Count 512 | Format-Hex</code>
/// <para>Shows the boot sector. <c>Format-Hex</c> is one of PowerShell's own cmdlets.</para>
/// </example>
/// <example>
/// <code>$header = Read-Qcow2Image web01.qcow2 -Offset 1MB -Count 4KB</code>
/// <para>Keeps 4 KiB of the disk in a variable, as an array of bytes.</para>
/// </example>
/// <example>
/// <code>Read-Qcow2Image web01.qcow2 -Offset 1MB -Count 512MB -OutputFile boot-partition.img</code>
/// <para>Writes a partition to a file.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Snapshot web01.qcow2 | Read-Qcow2Image -Count 1MB -OutputFile { "start-$($_.Id).bin" }</code>
/// <para>Writes the first mebibyte of each snapshot's disk to a file of its own.</para>
/// </example>
/// <seealso cref="WriteQcow2ImageCommand"/>
/// <seealso cref="ConvertQcow2ImageCommand"/>
/// <seealso cref="GetQcow2ExtentCommand"/>
[Cmdlet(VerbsCommunications.Read, "Qcow2Image", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(byte[]), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet, UriSet])]
public sealed class ReadQcow2ImageCommand : DiskReadingCmdlet
{
    private const long MaxEmittedBytes = 1L << 30;
    private const string Usage = "Read-Qcow2Image -OutputFile";

    private readonly HashSet<string> _written = new(DestinationFile.PathComparer);

    /// <summary>
    /// What the image is. By default a file that begins as one of the formats does, or ends as a VHD does, is one, and others are raw if their name says so: <c>.raw</c>, <c>.img</c>,
    /// <c>.iso</c>, <c>.dd</c> or <c>.bin</c>, and their content is not plainly something else. What bears the mark of an image under such a name is an error, but for QCOW2 under <c>.img</c>. Say it of a VHD that was cut off, of a raw disk with another name, and of one that a guest wrote whom you do
    /// not trust: it could have made it look like an image that names a file of this machine.
    /// </summary>
    /// <value>By the file's content and name</value>
    [Parameter]
    public DiskImageFormat? SourceFormat { get; set; }

    /// <summary>Where on the disk to start, in bytes or with a binary unit. By default at the beginning.</summary>
    [Parameter]
    [ByteSize]
    [ValidateRange(0, long.MaxValue)]
    public long Offset { get; set; }

    /// <summary>
    /// How many bytes to read, or a number with a binary unit; at most 1 GiB without <c>-OutputFile</c>. It is needed unless
    /// <c>-OutputFile</c> is given: the default is then everything up to the end of the disk.
    /// </summary>
    /// <value>With -OutputFile, up to the end of the disk</value>
    [Parameter]
    [Alias("Length")]
    [ByteSize]
    [ValidateRange(0, long.MaxValue)]
    public long Count { get; set; }

    /// <summary>
    /// Writes the bytes to this file instead of emitting them. Wildcards are not permitted. Its folder must exist; the file
    /// must not, unless <c>-Force</c> is given. For several images from the pipeline, give a script block that makes a name
    /// for each out of <c>$_</c>.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Alias("OutFile")]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string? OutputFile { get; set; }

    /// <summary>Replaces the output file if it exists. The old file stays as it is until the new one is complete.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    private protected override bool TakesRaw => true;

    /// <inheritdoc/>
    private protected override string TemporaryFolder
        => OutputFile is not null && System.IO.Path.GetDirectoryName(Resolver.Literal(OutputFile)) is string folder && Directory.Exists(folder) ? folder : base.TemporaryFolder;

    private bool HasCount => MyInvocation.BoundParameters.ContainsKey(nameof(Count));

    /// <inheritdoc/>
    private protected override void Preview(IReadOnlyList<ImageInput> images)
    {
        if (OutputFile is not null && images.Count > 1)
        {
            ThrowTerminatingError(ErrorRecords.From(DestinationFile.NotUnique(OutputFile, images.Count, Usage), OutputFile));
        }

        if (OutputFile is null && !HasCount)
        {
            ThrowTerminatingError(ErrorRecords.From(
                new ImageCmdletException("ParameterMissing", ErrorCategory.InvalidArgument, "Say how many bytes to read with -Count, or where to write them with -OutputFile."),
                nameof(Count)));
        }

        if (OutputFile is null && Count > MaxEmittedBytes)
        {
            ThrowTerminatingError(ErrorRecords.From(
                new ImageCmdletException("CountTooLarge", ErrorCategory.LimitsExceeded,
                    $"{DisplayText.SizeAndBytes(Count)} are too many for one array; {DisplayText.Size(MaxEmittedBytes)} is the most. Use -OutputFile for more."),
                nameof(Count)));
        }
    }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        if (OutputFile is null)
        {
            byte[] bytes = [];
            Run(image, (transfer, disk, count, stop) => transfer.Read(disk, Offset, bytes = new byte[count], stop));
            WriteObject(bytes, enumerateCollection: false);
            return;
        }

        string destination = Resolver.Literal(OutputFile);
        DestinationFile.EnsureUsable(destination, Force, _written, "-OutputFile", Usage);
        if (!ShouldProcess(image.Path, $"Read a part of the disk to '{destination}'"))
        {
            return;
        }

        if (!Force)
        {
            WarnOfFullDisk(() => Need(image, destination));
        }

        Run(image, (transfer, disk, count, stop) => Save(transfer, disk, count, destination, stop), destination);
        _written.Add(DestinationFile.KeyOf(destination));
    }

    private void Run(ImageInput input, Action<DiskTransfer, VirtualDisk, long, CancellationToken> read, string? destination = null)
    {
        var transfer = new DiskTransfer("Reading", input.Path);
        DiskSource source = SourceOf(input, SourceFormat);
        transfer.Run(
            stop =>
            {
                using OpenedDisk opened = source.Open(stop);
                VirtualDisk disk = opened.Disk;
                if (destination is not null && disk.ReadsFrom(destination))
                {
                    throw DestinationFile.IsSource(destination, input.Path);
                }

                if (Offset > disk.Length)
                {
                    throw ImageCmdletException.OutsideDisk(input.Path, $"offset {Offset} is", disk.Length);
                }

                long rest = disk.Length - Offset;
                read(transfer, disk, HasCount ? Math.Min(Count, rest) : rest, stop);
            },
            WriteProgress, StopToken);
    }

    private SpaceNeed Need(ImageInput image, string destination)
    {
        DiskSource source = SourceOf(image, SourceFormat);
        long count = HasCount ? Count : long.MaxValue;
        return new SpaceNeed(destination, Math.Min(count, Math.Max(0, source.ReadSize() - Offset)), token => SpaceNeed.DataBytes(source, Offset, count, token));
    }

    private void Save(DiskTransfer transfer, VirtualDisk disk, long count, string destination, CancellationToken stop)
    {
        FileSizeLimit.Ensure(destination, count);
        using var file = ReplacementFile.Create(destination, Force);
        transfer.Read(disk, Offset, count, file.Storage, stop);
        file.Storage.Flush();
        stop.ThrowIfCancellationRequested();
        file.Commit();
    }
}

using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Writes bytes, the content of a file or zeros to the disks of QCOW2 images.</summary>
/// <remarks>
/// <para>
/// Write-Qcow2Image writes to the disk as the guest sees it, from <c>-Offset</c> on, one of these: the bytes of <c>-Value</c>, the
/// content of <c>-InputFile</c>, as many zeros as <c>-Count</c> says with <c>-Zero</c>, or nothing: <c>-Discard</c> gives up what
/// <c>-Count</c> bytes hold, and the space they take.
/// </para>
/// <para>
/// The range must lie inside the disk, which does not grow: see <c>Resize-Qcow2Image</c>. Where the image is an overlay, its
/// backing file is not changed. What was written is on the disk of the host when the command ends.
/// </para>
/// <para>
/// An image that another program has open is refused. Internal snapshots keep what they hold and cannot be written. When
/// the command fails or is stopped, a part of the bytes may have been written; the image itself is consistent.
/// </para>
/// </remarks>
/// <example>
/// <code>Write-Qcow2Image web01.qcow2 -Offset 510 -Value 0x55, 0xAA</code>
/// <para>Writes two bytes: the mark of a boot sector.</para>
/// </example>
/// <example>
/// <code>Write-Qcow2Image web01.qcow2 -Offset 1MB -InputFile boot-partition.img</code>
/// <para>Writes a partition that was saved to a file.</para>
/// </example>
/// <example>
/// <code>Write-Qcow2Image web01.qcow2 -Offset 0 -Zero -Count 1MB -PassThru</code>
/// <para>Overwrites the partition table with zeros, and shows the image.</para>
/// </example>
/// <example>
/// <code>Write-Qcow2Image scratch.qcow2 -Offset 10GB -Discard -Count 5GB -WhatIf</code>
/// <para>Says what would be given up.</para>
/// </example>
/// <seealso cref="ReadQcow2ImageCommand"/>
/// <seealso cref="ResizeQcow2ImageCommand"/>
/// <seealso cref="NewQcow2ImageCommand"/>
[Cmdlet(VerbsCommunications.Write, "Qcow2Image", DefaultParameterSetName = PathSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(Qcow2ImageInfo), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class WriteQcow2ImageCommand : DiskWritingCmdlet
{
    private string? _inputFile;

    /// <summary>Where on the disk to start, in bytes or with a binary unit.</summary>
    [Parameter(Mandatory = true)]
    [ByteSize]
    [ValidateRange(0, long.MaxValue)]
    public long Offset { get; set; }

    /// <summary>The bytes to write.</summary>
    [Parameter]
    [ValidateNotNull]
    public byte[]? Value { get; set; }

    /// <summary>The file whose whole content is written. Wildcards are not permitted.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string? InputFile { get; set; }

    /// <summary>Makes <c>-Count</c> bytes read as zeros. No data is written where the image can say so in its tables.</summary>
    [Parameter]
    public SwitchParameter Zero { get; set; }

    /// <summary>
    /// Gives up what <c>-Count</c> bytes hold. Whole clusters in the range read as zeros afterwards, in most images, and their
    /// space can be used again; parts of clusters stay as they are.
    /// </summary>
    [Parameter]
    public SwitchParameter Discard { get; set; }

    /// <summary>How many bytes <c>-Zero</c> or <c>-Discard</c> is about, or a number with a binary unit.</summary>
    [Parameter]
    [Alias("Length")]
    [ByteSize]
    [ValidateRange(0, long.MaxValue)]
    public long Count { get; set; }

    private bool IsMark => Zero || Discard;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        try
        {
            RequireOneKind();
            _inputFile = InputFile is null ? null : Resolver.Literal(InputFile);
            if (_inputFile is not null && !File.Exists(_inputFile))
            {
                throw Directory.Exists(_inputFile)
                    ? new ImageCmdletException("InputFileIsFolder", ErrorCategory.InvalidArgument, $"{_inputFile}: this is a folder; -InputFile names the file to read.")
                    : new ItemNotFoundException($"Cannot find the file '{_inputFile}' of -InputFile because it does not exist.");
            }
        }
        catch (Exception e) when (ErrorRecords.IsOfFile(e))
        {
            ThrowTerminatingError(ErrorRecords.From(e, InputFile ?? nameof(Value)));
        }
    }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        SnapshotChoice.RequireActiveDisk(image, "written");
        if (_inputFile is not null && DestinationFile.PathComparer.Equals(_inputFile, image.Path))
        {
            throw DestinationFile.IsSource(image.Path, "-InputFile");
        }

        long size = Qcow2ImageInfo.Read(image.Path).Size;
        long count = IsMark ? Count : Value?.LongLength ?? new FileInfo(_inputFile!).Length;
        RequireInside(image.Path, count, size);
        if (!ShouldProcess(image.Path, Description(count)))
        {
            return;
        }

        var transfer = new DiskTransfer("Writing", image.Path);
        Qcow2OpenOptions options = OptionsFor(image.Path);
        transfer.Run(stop => Write(transfer, image.Path, options, count, stop), WriteProgress, StopToken);
        PassOn(image.Path);
    }

    private void RequireOneKind()
    {
        int kinds = (Value is null ? 0 : 1) + (InputFile is null ? 0 : 1) + (Zero ? 1 : 0) + (Discard ? 1 : 0);
        bool hasCount = MyInvocation.BoundParameters.ContainsKey(nameof(Count));
        if (kinds == 0)
        {
            throw Missing("Say what to write: -Value, -InputFile, -Zero or -Discard.");
        }

        if (IsMark && !hasCount && kinds == 1)
        {
            throw Missing("Say how many bytes -Zero or -Discard is about with -Count.");
        }

        if (kinds > 1 || (hasCount && !IsMark))
        {
            throw new ImageCmdletException("ParameterConflict", ErrorCategory.InvalidArgument, kinds > 1
                ? "-Value, -InputFile, -Zero and -Discard exclude each other."
                : "-Count goes with -Zero or -Discard; -Value and -InputFile are written as a whole.");
        }
    }

    private static ImageCmdletException Missing(string message) => new("ParameterMissing", ErrorCategory.InvalidArgument, message);

    private void RequireInside(string path, long count, long size)
    {
        if (Offset > size || count > size - Offset)
        {
            throw ImageCmdletException.OutsideDisk(path, $"{DisplayText.SizeAndBytes(count)} at offset {Offset} are", size);
        }
    }

    private string Description(long count)
    {
        string where = $"{DisplayText.SizeAndBytes(count)} at offset {Offset}";
        return Discard ? $"Discard {where}"
            : Zero ? $"Write zeros: {where}"
            : _inputFile is null ? $"Write {where}"
            : $"Write '{_inputFile}': {where}";
    }

    private void Write(DiskTransfer transfer, string path, Qcow2OpenOptions options, long count, CancellationToken stop)
    {
        using Qcow2Image image = Qcow2Image.Open(path, options, stop);
        RequireInside(path, count, image.Length);
        try
        {
            if (Discard)
            {
                transfer.Mark(Offset, count, image.Discard, stop);
            }
            else if (Zero)
            {
                transfer.Mark(Offset, count, (position, length) => image.WriteZeroes(position, length), stop);
            }
            else
            {
                using Stream source = Value is null ? File.OpenRead(_inputFile!) : new MemoryStream(Value, writable: false);
                transfer.Write(image, Offset, source, count, stop);
            }
        }
        catch (NotSupportedException e)
        {
            throw ImageCmdletException.NotPossible(e.Message);
        }

        image.Flush();
    }
}

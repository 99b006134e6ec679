using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Conversion;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Writes what changed on a disk since a bitmap began to record, as an incremental backup.</summary>
/// <remarks>
/// <para>
/// Export-Qcow2Change reads a persistent bitmap of an image and writes the parts of the disk that it marks, and nothing else, to a new qcow2 image. With
/// <c>-BackingFile</c>, the backup before, that image is an overlay of it and shows the whole disk as it is now: every backup of a chain can be read,
/// compared, converted and restored by itself, with this module and with QEMU. Without it, the new image has the changes alone; zeros among them are
/// recorded as such, so that it can be layered on a backup later (<c>Set-Qcow2Image -MetadataOnly</c>).
/// </para>
/// <para>
/// With <c>-ClearBitmap</c> the bitmap begins anew when the new image is complete and on the disk. Nothing is lost between two backups: until then
/// the bitmap says what it said, whatever fails, and nobody else can write the image from the first read on. A crash in the moment of clearing can
/// leave the bitmap unusable, which is said then, and a full backup is due; it never says too little.
/// </para>
/// <para>
/// The image must not be in use. A bitmap that was not saved when the image was last closed is refused: what it says is not all that changed.
/// </para>
/// </remarks>
/// <example>
/// <code>Export-Qcow2Change web01.qcow2 -BitmapName daily -DestinationPath monday.qcow2 -BackingFile sunday.qcow2 -BackingFormat qcow2 -ClearBitmap</code>
/// <para>
/// What changed since Sunday, layered on Sunday's backup. The bitmap came into the image right after that was made: <c>Convert-Qcow2Image web01.qcow2
/// sunday.qcow2</c>, <c>New-Qcow2Bitmap web01.qcow2 daily</c>.
/// </para>
/// </example>
/// <example>
/// <code>Get-Qcow2Bitmap *.qcow2 -BitmapName daily | Export-Qcow2Change -DestinationPath { "/backup/$([IO.Path]::GetFileNameWithoutExtension($_.Path)).changes.qcow2" }</code>
/// <para>The changes alone of every image of the folder that has the bitmap; the bitmaps go on.</para>
/// </example>
/// <seealso cref="NewQcow2BitmapCommand"/>
/// <seealso cref="GetQcow2BitmapCommand"/>
/// <seealso cref="GetQcow2ExtentCommand"/>
/// <seealso cref="ConvertQcow2ImageCommand"/>
[Cmdlet(VerbsData.Export, "Qcow2Change", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2ImageInfo), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet, UriSet])]
public sealed class ExportQcow2ChangeCommand : ConversionCmdlet
{
    private string? _bitmap;

    /// <summary>The bitmap, by its exact name. It may be left out where the bitmap itself comes down the pipeline from <c>Get-Qcow2Bitmap</c>.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(BitmapNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string? BitmapName { get; set; }

    /// <summary>Lets the bitmap begin anew when the new image is complete.</summary>
    [Parameter]
    public SwitchParameter ClearBitmap { get; set; }

    /// <inheritdoc/>
    private protected override string Afterwards => ClearBitmap ? " and clear the bitmap" : "";

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        Refuse(NoCreate, "-NoCreate writes into a disk that exists; changes go into a new image.", nameof(NoCreate));
        Refuse((SnapshotName ?? Id) is not null, "A bitmap says what changed on the active disk, not on the snapshot of -SnapshotName or -Id.", nameof(SnapshotName));
        Refuse(ClearBitmap && ForceShare, "-ForceShare reads what another program may be writing, so that -ClearBitmap does not go with it.", nameof(ClearBitmap));
        Refuse(ClearBitmap && Salvage, "-Salvage may leave changes out, so that -ClearBitmap does not go with it.", nameof(ClearBitmap));
    }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        _bitmap = BitmapName ?? (image.Object as Qcow2Bitmap)?.Name
            ?? throw new ImageCmdletException("BitmapNotSpecified", ErrorCategory.InvalidArgument,
                $"{image.Path}: say which bitmap is meant: -BitmapName, or a bitmap from Get-Qcow2Bitmap in place of the image.");
        SnapshotChoice.RequireActiveDisk(image, "the changes of another one");
        base.ProcessImage(image);
    }

    /// <inheritdoc/>
    private protected override ConversionResult Run(IReadOnlyList<DiskSource> sources, ConversionDestination destination)
    {
        var export = new ChangeExport(sources[0], _bitmap!, (NewDisk)destination, Options(), ClearBitmap);
        ConversionResult result = export.Run(WriteProgress, StopToken);
        WriteVerbose($"{sources[0].Path}: the bitmap '{DisplayText.Printable(_bitmap!)}' marks {DisplayText.SizeAndBytes(export.ChangedBytes)} of the disk.");
        return result;
    }
}

using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Adds to a persistent bitmap of a QCOW2 disk image what others record, of the same image or of another one.</summary>
/// <remarks>
/// <para>
/// Merge-Qcow2Bitmap marks in one bitmap whatever is marked in others, as <c>qemu-img bitmap --merge</c> does; these stay as they are. Granularities may
/// differ: what a bit of the coarser one stands for is marked as a whole. Merging Monday's and Tuesday's bitmaps gives what changed on either day.
/// </para>
/// <para>
/// With <c>-SourcePath</c> the others are read from another image, whose disk has the same size: from an overlay, say, before it is merged into its
/// backing file. All of the others are read before anything is changed.
/// </para>
/// </remarks>
/// <example>
/// <code>Merge-Qcow2Bitmap web01.qcow2 week -SourceBitmapName monday, tuesday</code>
/// <para>Marks in one bitmap what changed on two days.</para>
/// </example>
/// <example>
/// <code>Merge-Qcow2Bitmap base.qcow2 nightly -SourcePath overlay.qcow2 -SourceBitmapName nightly</code>
/// <para>Adds what an overlay recorded, before <c>Merge-Qcow2Image</c> merges its data.</para>
/// </example>
/// <seealso cref="GetQcow2BitmapCommand"/>
/// <seealso cref="NewQcow2BitmapCommand"/>
/// <seealso cref="MergeQcow2ImageCommand"/>
[Cmdlet(VerbsData.Merge, "Qcow2Bitmap", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2Bitmap), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class MergeQcow2BitmapCommand : ImageCmdlet
{
    /// <summary>The bitmap that gets the others' marks, by its exact name. It may be left out where the bitmap itself comes down the pipeline.</summary>
    [Parameter(Position = 1)]
    [Alias("Name")]
    [ArgumentCompleter(typeof(BitmapNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string? BitmapName { get; set; }

    /// <summary>The bitmaps that are read, by their exact names.</summary>
    [Parameter(Mandatory = true, Position = 2)]
    [ArgumentCompleter(typeof(BitmapNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string[] SourceBitmapName { get; set; } = [];

    /// <summary>The image whose bitmaps are read. No character is a wildcard. By default it is the image itself.</summary>
    /// <value>The image itself</value>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string? SourcePath { get; set; }

    /// <summary>Emits the bitmap that got the others' marks. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        string target = BitmapName ?? (image.Object as Qcow2Bitmap)?.Name
            ?? throw new ImageCmdletException("BitmapNotSpecified", ErrorCategory.InvalidArgument,
                $"{image.Path}: say which bitmap is meant: -BitmapName, or a bitmap from Get-Qcow2Bitmap in place of the image.");
        string? source = SourcePath is null ? null : Resolver.Literal(SourcePath);
        string names = string.Join("', '", SourceBitmapName.Select(DisplayText.Printable));
        string where = source is null ? "" : $" of '{DisplayText.Printable(source)}'";
        if (!ShouldProcess(image.Path, $"Merge '{names}'{where} into the bitmap '{DisplayText.Printable(target)}'"))
        {
            return;
        }

        ImageChange.Run(
            image.Path,
            (opened, token) =>
            {
                using Qcow2Image? other = source is null ? null : Qcow2Image.Open(source, new Qcow2OpenOptions { WithoutBacking = true }, token);
                foreach (string name in SourceBitmapName)
                {
                    _ = (other ?? opened).GetBitmapRanges(name, token); // All can be read before any is merged: the bitmap has what was asked for, or what it had.
                }

                foreach (string name in SourceBitmapName)
                {
                    if (other is null)
                    {
                        opened.MergeBitmap(name, target);
                    }
                    else
                    {
                        opened.MergeBitmap(other, name, target, token);
                    }
                }

                return true;
            },
            StopToken,
            invalid: "BitmapInvalid");
        if (PassThru)
        {
            WriteObject(Qcow2ImageInfo.Read(image.Path).Bitmaps.Single(bitmap => string.Equals(bitmap.Name, target, StringComparison.Ordinal)));
        }
    }
}

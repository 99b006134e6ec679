using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Removes persistent bitmaps from QCOW2 disk images.</summary>
/// <remarks>
/// <para>
/// Remove-Qcow2Bitmap removes dirty bitmaps from an image, as <c>qemu-img bitmap --remove</c> does, also those that were not saved when the
/// image was last closed: nothing else can be done with these. The disk itself stays as it is; the next backup that would have used the
/// bitmap has to copy everything.
/// </para>
/// <para>
/// A bitmap has to be named, by <c>-BitmapName</c> or by coming down the pipeline; <c>-BitmapName *</c> removes all. The cmdlet asks for
/// confirmation unless <c>-Confirm:$false</c> is given. An image that another program has open is refused. Bitmaps whose own tables are
/// damaged are removed by <c>Repair-Qcow2Image -Mode All</c>.
/// </para>
/// </remarks>
/// <example>
/// <code>Remove-Qcow2Bitmap web01.qcow2 nightly</code>
/// <para>Removes one bitmap, after a question.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Bitmap *.qcow2 | Where-Object IsInUse | Remove-Qcow2Bitmap -Confirm:$false</code>
/// <para>Removes every bitmap of the folder's images that was not saved, without asking. Images that are in use are refused.</para>
/// </example>
/// <seealso cref="GetQcow2BitmapCommand"/>
/// <seealso cref="RepairQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.Remove, "Qcow2Bitmap", DefaultParameterSetName = PathSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(Qcow2Bitmap), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class RemoveQcow2BitmapCommand : BitmapSelectionCmdlet
{
    /// <summary>Emits the bitmaps that were removed. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    private protected override void EnsureSelected(string path, bool isSelected)
    {
        if (!isSelected)
        {
            throw new ImageCmdletException("BitmapNotSpecified", ErrorCategory.InvalidArgument,
                $"{path}: say which bitmaps are meant: -BitmapName, or bitmaps from Get-Qcow2Bitmap in place of the image. -BitmapName * means all.");
        }
    }

    /// <inheritdoc/>
    private protected override void ProcessBitmaps(string path, IReadOnlyList<Qcow2Bitmap> bitmaps)
    {
        List<Qcow2Bitmap> chosen = [.. bitmaps.Where(bitmap => ShouldProcess(path, $"Remove the bitmap '{DisplayText.Printable(bitmap.Name)}'"))];
        if (chosen.Count == 0)
        {
            return;
        }

        SnapshotChange.Run(
            path,
            (image, token) =>
            {
                foreach (Qcow2Bitmap bitmap in chosen)
                {
                    token.ThrowIfCancellationRequested();
                    image.RemoveBitmap(bitmap.Name);
                }

                return true;
            },
            StopToken);
        if (PassThru)
        {
            WriteObject(chosen, enumerateCollection: true);
        }
    }
}

using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;

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
public sealed class RemoveQcow2BitmapCommand : BitmapChangeCmdlet
{
    /// <inheritdoc/>
    private protected override string Action => "Remove the bitmap";

    /// <inheritdoc/>
    private protected override void Change(Qcow2Image image, string name) => image.RemoveBitmap(name);

    /// <inheritdoc/>
    private protected override IEnumerable<Qcow2Bitmap> Result(string path, IReadOnlyList<Qcow2Bitmap> changed) => changed;
}

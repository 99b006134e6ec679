using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Commands;

/// <summary>Clears persistent bitmaps of QCOW2 disk images: nothing counts as changed any more.</summary>
/// <remarks>
/// <para>
/// Clear-Qcow2Bitmap makes every bit of a bitmap clear, as <c>qemu-img bitmap --clear</c> does: after a full backup, say, from which on changes are to
/// be recorded. Whatever the bitmap said is lost, and the next incremental backup by it holds only what is written from now on. The cmdlet asks for
/// confirmation unless <c>-Confirm:$false</c> is given.
/// </para>
/// <para>
/// A bitmap has to be named, by <c>-BitmapName</c> or by coming down the pipeline; <c>-BitmapName *</c> means all. An image that another program has
/// open is refused, and so is a bitmap that was not saved when the image was last closed: it can only be removed.
/// </para>
/// </remarks>
/// <example>
/// <code>Clear-Qcow2Bitmap web01.qcow2 nightly</code>
/// <para>Begins anew with what a bitmap records, after a question.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Bitmap *.qcow2 -BitmapName nightly | Clear-Qcow2Bitmap -Confirm:$false -PassThru</code>
/// <para>Clears the bitmap of that name in every image of the folder that has it.</para>
/// </example>
/// <seealso cref="GetQcow2BitmapCommand"/>
/// <seealso cref="NewQcow2BitmapCommand"/>
[Cmdlet(VerbsCommon.Clear, "Qcow2Bitmap", DefaultParameterSetName = PathSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(Qcow2Bitmap), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class ClearQcow2BitmapCommand : BitmapChangeCmdlet
{
    /// <inheritdoc/>
    private protected override string Action => "Clear the bitmap";

    /// <inheritdoc/>
    private protected override void Change(Qcow2Image image, string name) => image.ClearBitmap(name);
}

using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Commands;

/// <summary>Freezes persistent bitmaps of QCOW2 disk images: they record no more.</summary>
/// <remarks>
/// <para>
/// Disable-Qcow2Bitmap does what <c>qemu-img bitmap --disable</c> does: the bitmap stays as it is, whatever is written, until it is enabled again. A disabled
/// bitmap is safe from a crash of whoever writes the image.
/// </para>
/// <para>
/// A bitmap has to be named, by <c>-BitmapName</c> or by coming down the pipeline; <c>-BitmapName *</c> means all. An image that another program has
/// open is refused, and so is a bitmap that was not saved when the image was last closed: it can only be removed.
/// </para>
/// </remarks>
/// <example>
/// <code>Disable-Qcow2Bitmap web01.qcow2 nightly -PassThru</code>
/// <para>Freezes a bitmap, and shows it.</para>
/// </example>
/// <seealso cref="EnableQcow2BitmapCommand"/>
/// <seealso cref="GetQcow2BitmapCommand"/>
[Cmdlet(VerbsLifecycle.Disable, "Qcow2Bitmap", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2Bitmap), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class DisableQcow2BitmapCommand : BitmapChangeCmdlet
{
    /// <inheritdoc/>
    private protected override string Action => "Disable the bitmap";

    /// <inheritdoc/>
    private protected override void Change(Qcow2Image image, string name) => image.DisableBitmap(name);
}

using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Commands;

/// <summary>Lets persistent bitmaps of QCOW2 disk images record what is written from now on.</summary>
/// <remarks>
/// <para>
/// Enable-Qcow2Bitmap sets what <c>qemu-img bitmap --enable</c> sets: from now on every write to the disk, by this module or by a virtual machine of QEMU, is
/// recorded in the bitmap. What was written while it was disabled is not in it.
/// </para>
/// <para>
/// A bitmap has to be named, by <c>-BitmapName</c> or by coming down the pipeline; <c>-BitmapName *</c> means all. An image that another program has
/// open is refused, and so is a bitmap that was not saved when the image was last closed: it can only be removed.
/// </para>
/// </remarks>
/// <example>
/// <code>Enable-Qcow2Bitmap web01.qcow2 nightly</code>
/// <para>Lets a bitmap record.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Bitmap *.qcow2 | Where-Object IsEnabled -EQ $false | Enable-Qcow2Bitmap</code>
/// <para>Lets every bitmap of the folder's images record that does not.</para>
/// </example>
/// <seealso cref="DisableQcow2BitmapCommand"/>
/// <seealso cref="GetQcow2BitmapCommand"/>
[Cmdlet(VerbsLifecycle.Enable, "Qcow2Bitmap", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2Bitmap), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class EnableQcow2BitmapCommand : BitmapChangeCmdlet
{
    /// <inheritdoc/>
    private protected override string Action => "Enable the bitmap";

    /// <inheritdoc/>
    private protected override void Change(Qcow2Image image, string name) => image.EnableBitmap(name);
}

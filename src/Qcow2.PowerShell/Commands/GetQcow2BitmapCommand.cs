using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Commands;

/// <summary>Gets the persistent bitmaps of QCOW2 disk images.</summary>
/// <remarks>
/// <para>
/// Get-Qcow2Bitmap lists the dirty bitmaps that lie inside an image: name, granularity, whether it records what is written, and whether
/// it was saved when the image was last closed (<c>IsInUse</c>). It changes nothing and works on an image that is in use, whose bitmaps
/// that record are shown as in use.
/// </para>
/// <para>
/// All bitmaps are emitted unless <c>-BitmapName</c> selects some.
/// </para>
/// </remarks>
/// <example>
/// <code>Get-Qcow2Bitmap web01.qcow2</code>
/// <para>All bitmaps of an image.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Bitmap *.qcow2 | Where-Object IsInUse</code>
/// <para>The bitmaps of the folder's images that were not saved, because a virtual machine died or runs.</para>
/// </example>
/// <seealso cref="RemoveQcow2BitmapCommand"/>
/// <seealso cref="GetQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.Get, "Qcow2Bitmap", DefaultParameterSetName = PathSet)]
[OutputType(typeof(Qcow2Bitmap), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class GetQcow2BitmapCommand : BitmapSelectionCmdlet
{
    /// <inheritdoc/>
    private protected override void ProcessBitmaps(string path, IReadOnlyList<Qcow2Bitmap> bitmaps) => WriteObject(bitmaps, enumerateCollection: true);
}

using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Adds a persistent bitmap to QCOW2 disk images, which records what is written from now on.</summary>
/// <remarks>
/// <para>
/// New-Qcow2Bitmap adds a dirty bitmap in which nothing is marked, as <c>qemu-img bitmap --add</c> does. Whoever writes the disk from then on, this
/// module or a virtual machine of QEMU, marks in it what changes, and an incremental backup copies just that. The image must be of version 3.
/// </para>
/// <para>
/// A coarse granularity keeps the bitmap small, a fine one keeps backups small: a bit for 64 KiB of a disk of 1 TiB makes 2 MiB. An image that another
/// program has open is refused: it would not know of the bitmap.
/// </para>
/// </remarks>
/// <example>
/// <code>New-Qcow2Bitmap web01.qcow2 nightly</code>
/// <para>Records from now on what is written to a disk.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Image *.qcow2 | New-Qcow2Bitmap -Name daily -Granularity 1MB</code>
/// <para>Adds a bitmap of a bit for each MiB to every image of the folder.</para>
/// </example>
/// <seealso cref="GetQcow2BitmapCommand"/>
/// <seealso cref="ClearQcow2BitmapCommand"/>
/// <seealso cref="RemoveQcow2BitmapCommand"/>
[Cmdlet(VerbsCommon.New, "Qcow2Bitmap", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2Bitmap), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class NewQcow2BitmapCommand : ImageCmdlet
{
    /// <summary>The name of the new bitmap, which no other one of the image has; 1 to 1,023 bytes in UTF-8.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [Alias("Name")]
    [ValidateNotNullOrEmpty]
    public string BitmapName { get; set; } = "";

    /// <summary>
    /// Bytes of the disk that one bit stands for: a power of two from 512 bytes to 2 GiB. By default it is that of a cluster, but 4 KiB at least and
    /// 64 KiB at most, as QEMU has it.
    /// </summary>
    /// <value>The cluster size, from 4 KiB to 64 KiB</value>
    [Parameter]
    [ByteSize]
    [ValidateRange(1, long.MaxValue)]
    public long Granularity { get; set; }

    /// <summary>The bitmap records nothing until <c>Enable-Qcow2Bitmap</c> lets it.</summary>
    [Parameter]
    public SwitchParameter Disabled { get; set; }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        if (!ShouldProcess(image.Path, $"Add the bitmap '{DisplayText.Printable(BitmapName)}'"))
        {
            return;
        }

        ImageChange.Run(
            image.Path,
            (opened, _) =>
            {
                opened.CreateBitmap(BitmapName, Granularity == 0 ? null : Granularity, !Disabled);
                return true;
            },
            StopToken,
            invalid: "BitmapInvalid");
        WriteObject(Qcow2ImageInfo.Read(image.Path).Bitmaps.Single(bitmap => string.Equals(bitmap.Name, BitmapName, StringComparison.Ordinal)));
    }
}

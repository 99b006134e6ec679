using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Gets a map of the virtual disk: which parts hold data, where that lies, and which parts read as zeros.</summary>
/// <remarks>
/// <para>
/// Get-Qcow2Extent emits the stretches of the disk in order and without gaps, as <c>qemu-img map</c> does. Each is one of three
/// kinds: <c>Data</c> is stored in a file, <c>Zero</c> is said to be zeros by an image or is a hole of a raw file, and <c>Unallocated</c> is
/// nowhere in the backing chain, so that it reads as zeros, too: what qemu-img calls not present. <c>Depth</c> and <c>FilePath</c> say which file of the backing chain
/// holds the stretch, <c>HostOffset</c> where in it.
/// </para>
/// <para>
/// The image may be a VHD, VHDX, VMDK, VDI, QCOW (version 1), QED or Parallels one, too, or a raw disk, of which holes are <c>Zero</c>. Of a VHD what a sector bitmap of a dynamic one leaves out is <c>Zero</c>, and a block that is not in the file <c>Unallocated</c>.
/// </para>
/// <para>
/// Only the image's tables are read, so an encrypted image needs no passphrase. The image is opened without locks: the map
/// of an image that another program writes may be inconsistent, and a warning says so.
/// </para>
/// <para>
/// Extents are emitted as they are found, however large the disk is: <c>Select-Object -First</c> ends the search.
/// </para>
/// </remarks>
/// <example>
/// <code>Get-Qcow2Extent web01.qcow2</code>
/// <para>The map of the whole disk.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Extent web01.qcow2 -Offset 1MB -Length 64KB</code>
/// <para>Where the 64 KiB that start at 1 MiB lie.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Extent overlay.qcow2 | Where-Object Kind -eq Data | Group-Object Depth | Select-Object Name, @{ n = 'GiB'; e = { ($_.Group | Measure-Object Length -Sum).Sum / 1GB } }</code>
/// <para>How much of the disk's data comes from each file of the backing chain; 0 is the image itself.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Map web01.qcow2 -SnapshotName before-upgrade | Measure-Object Length -Sum</code>
/// <para>The map of a snapshot's disk, by the cmdlet's other name.</para>
/// </example>
/// <seealso cref="GetQcow2ImageCommand"/>
/// <seealso cref="GetQcow2SnapshotCommand"/>
[Cmdlet(VerbsCommon.Get, "Qcow2Extent", DefaultParameterSetName = PathSet)]
[Alias("Get-Qcow2Map")]
[OutputType(typeof(Qcow2Extent), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet, UriSet])]
public sealed class GetQcow2ExtentCommand : DiskCmdlet
{
    /// <summary>
    /// What the image is. By default a file that begins as one of the formats does, or ends as a VHD does, is one, and others are raw if their name says so: <c>.raw</c>, <c>.img</c>,
    /// <c>.iso</c>, <c>.dd</c> or <c>.bin</c>, and their content is not plainly something else. What bears the mark of an image under such a name is an error, but for QCOW2 under <c>.img</c>. Say it of a VHD that was cut off, of a raw disk with another name, and of one that a guest wrote whom you do
    /// not trust: it could have made it look like an image that names a file of this machine.
    /// </summary>
    /// <value>By the file's content and name</value>
    [Parameter]
    public DiskImageFormat? SourceFormat { get; set; }

    /// <summary>
    /// Where on the disk to start, in bytes. Takes a number, or one with a binary unit: <c>1MB</c>, <c>"1M"</c>,
    /// <c>"1.5GiB"</c>. The default is 0, the start of the disk; from an offset past its end nothing is emitted.
    /// </summary>
    [Parameter]
    [ByteSize]
    public long Offset { get; set; }

    /// <summary>
    /// How much of the disk to map, in bytes, with units as for <c>-Offset</c>. The default is the rest of the disk, and what
    /// passes its end is left out.
    /// </summary>
    /// <value>The rest of the disk</value>
    [Parameter]
    [ByteSize]
    public long Length { get; set; } = long.MaxValue;

    /// <summary>
    /// Shows only what a persistent bitmap marks: what was written since it began to record. A bitmap that comes down the pipeline from
    /// <c>Get-Qcow2Bitmap</c> stands for itself. Not of a snapshot.
    /// </summary>
    [Parameter]
    [ArgumentCompleter(typeof(BitmapNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string? BitmapName { get; set; }

    /// <inheritdoc/>
    private protected override bool TakesRaw => true;

    /// <inheritdoc/>
    private protected override Qcow2OpenOptions OptionsFor(string imagePath) => base.OptionsFor(imagePath) with
    {
        ForceShare = true,
        L2CacheSize = Qcow2OpenOptions.Sequential.L2CacheSize,
    };

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        DiskSource source = SourceOf(image, SourceFormat);
        WarnIfInUse(source);
        string? bitmap = BitmapName ?? (image.Object as Qcow2Bitmap)?.Name;
        LongOperation.Stream(stop => Map(source, bitmap, stop), WriteObject, () => { }, StopToken);
    }

    /// <summary>Runs on a thread of its own, and closes the image when it ends, however it ends.</summary>
    private IEnumerable<Qcow2Extent> Map(DiskSource source, string? bitmap, CancellationToken stop)
    {
        using OpenedDisk opened = source.Open(stop);
        foreach (DiskExtent extent in bitmap is null ? opened.Disk.GetExtents(Offset, Length, stop) : Marked(opened, bitmap, stop))
        {
            var emitted = Qcow2Extent.From(extent, source.Path);
            emitted.SnapshotId = opened.Snapshot?.Id;
            emitted.SnapshotName = opened.Snapshot?.Name;
            yield return emitted;
        }
    }

    /// <summary>What lies where the bitmap has marks, inside the range that was asked for.</summary>
    private IEnumerable<DiskExtent> Marked(OpenedDisk opened, string bitmap, CancellationToken stop)
    {
        if (opened.Image is not Qcow2Image image || opened.Snapshot is not null)
        {
            throw ImageCmdletException.NotPossible($"{opened.Disk.Path}: only the active disk of a qcow2 image has bitmaps.");
        }

        long end = Length > long.MaxValue - Offset ? long.MaxValue : Offset + Length;
        return image.GetBitmapRanges(bitmap, stop)
            .Select(range => (Start: Math.Max(range.Offset, Offset), End: Math.Min(range.End, end)))
            .Where(part => part.Start < part.End)
            .SelectMany(part => image.GetExtents(part.Start, part.End - part.Start, stop));
    }

    private void WarnIfInUse(DiskSource source)
    {
        if (source.ReadInformation().LockState == ImageLockState.HeldForWriting)
        {
            WriteWarning($"{source.Path}: another program has this image open for writing, so its map may be inconsistent.");
        }
    }
}

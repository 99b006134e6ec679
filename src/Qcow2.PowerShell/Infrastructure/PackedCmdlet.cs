using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that also reads disks as they are published: compressed, or in an OVA.</summary>
public abstract class PackedCmdlet : ChainCmdlet
{
    /// <summary>
    /// Which disk of an OVA (<c>.ova</c>) is meant, by the name of its file in the archive; it is needed where there are several. An object that <c>Get-Qcow2Image</c> emitted knows its own.
    /// </summary>
    /// <value>The only one</value>
    [Parameter]
    [ArgumentCompleter(typeof(DiskNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string? DiskName { get; set; }

    /// <summary>
    /// Most bytes that a compressed file (<c>.gz</c>, <c>.xz</c>, <c>.zst</c>, <c>.bz2</c>) may become: a few MB can be made to fill any disk. Takes a number, or one with a unit:
    /// <c>"100GB"</c>.
    /// </summary>
    /// <value>2TB</value>
    [Parameter]
    [ByteSize]
    [ValidateRange(1, long.MaxValue)]
    public long MaximumUnpackedSize { get; set; } = PackedDisk.DefaultMaximumSize;

    /// <summary>The folder for what has to be unpacked or downloaded first.</summary>
    private protected virtual string TemporaryFolder => System.IO.Path.GetTempPath();

    /// <summary>What is needed of a packed disk.</summary>
    private protected virtual PackedUse Use => PackedUse.AtRandom;

    /// <summary>What becomes of the sum that the manifest of an OVA has for a disk.</summary>
    private protected virtual ManifestUse Manifest => ManifestUse.Ignored;

    /// <summary>How far apart the places of a packed disk may be that are read at the same time, in bytes.</summary>
    private protected virtual long ReadWindow => 0;

    /// <summary>Whether each disk of an OVA is meant where none was named.</summary>
    private protected virtual bool TakesEachDisk => false;

    /// <inheritdoc/>
    private protected override IReadOnlyList<ImageInput> Inside(ImageInput image)
    {
        string? name = (image.Object as Qcow2ImageInfo)?.DiskName ?? DiskName;
        IReadOnlyList<PackedDisk>? disks = PackedFile.IsCalledPacked(image.Location.Extension) ? DisksIn(image, name) : null;
        return disks is null ? [image] : [.. disks.Select(disk => image with { Location = Packed(image, disk) })];
    }

    /// <summary>The disk that a path beside the images leads to.</summary>
    /// <param name="image">The file.</param>
    /// <param name="format">The parameter that says what it is, without its dash.</param>
    private protected ImageInput InsideOf(ImageInput image, string format)
    {
        if (!PackedFile.IsCalledPacked(image.Location.Extension) || DisksIn(image, null) is not [PackedDisk disk])
        {
            return image;
        }

        ImageInput inside = image with { Location = Packed(image, disk, format, PackedUse.AtRandom) };
        Ready(inside);
        return inside;
    }

    private IReadOnlyList<PackedDisk>? DisksIn(ImageInput image, string? name)
    {
        using BlockStorage bytes = image.Location.OpenBytes();
        string called = image.Location.LocalPath ?? image.Location.Name.Split('?')[0]; // Of an address without its query.
        return PackedFile.Recognize(bytes, called) is not PackedFile file ? null
            : name is null && TakesEachDisk ? file.ReadDisks(bytes)
            : [file.FindDisk(bytes, file.IsArchive ? name : null)];
    }

    private PackedImage Packed(ImageInput image, PackedDisk disk, string format = "SourceFormat", PackedUse? use = null)
    {
        DiskFormat? said = MyInvocation.BoundParameters.TryGetValue(format, out object? word) && word is DiskImageFormat known ? known.Known()
            : image.Object is Qcow2ImageInfo info ? DiskFormats.Find(info.Format) : null;
        return new PackedImage(image.Location, disk, said, use ?? Use, TemporaryFolder, MaximumUnpackedSize, ReadWindow, use is null ? Manifest : ManifestUse.Ignored);
    }
}

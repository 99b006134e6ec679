using Qcow2.Engine;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Reports;

/// <summary>Looks at a disk in an OVA for a report, where it lies: no data is read, and nothing is unpacked.</summary>
/// <param name="archive">The OVA.</param>
/// <param name="said">What an object said of the disk, which names it.</param>
internal sealed class ArchivedImage(ImageLocation archive, Qcow2ImageInfo said)
{
    /// <summary>What could not be done, though the report goes on without it; null for nothing.</summary>
    internal Exception? Failure { get; private set; }

    /// <summary>Looks.</summary>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="stop">Ends it.</param>
    /// <returns>The disk as it is now; as the object said it, where the file is no OVA any more.</returns>
    internal ReportImage Run(IProgress<WorkProgress> progress, CancellationToken stop)
    {
        try
        {
            using BlockStorage bytes = archive.OpenBytes();
            PackedFile? file = PackedFile.Recognize(bytes, archive.Name);
            if (file is not { IsArchive: true })
            {
                return RememberedImage.Packed(said, "The file is no OVA any more.");
            }

            using var image = new PackedImage(archive, file.FindDisk(bytes, said.DiskName), null, PackedUse.AtRandom, "", 0, 0, ManifestUse.Ignored);
            DiskFormat format = DiskSource.FormatOf(image, DiskFormats.Find(said.Format), "");
            ReportImage row = ImageDescription.Of(image.ReadInformation(format));
            (ReportMap? map, string? noMap) = Map(image, format, progress, stop);
            return row with { Map = map, NoMap = noMap };
        }
        catch (Exception e) when (ImageSurvey.IsOfFile(e))
        {
            Failure = e;
            return RememberedImage.Packed(said, ReportText.Reason(e, archive.Name));
        }
    }

    private (ReportMap? Map, string? Problem) Map(PackedImage image, DiskFormat format, IProgress<WorkProgress> progress, CancellationToken stop)
    {
        try
        {
            using VirtualDisk disk = image.Open(format, Qcow2OpenOptions.Default, stop);
            return disk.Length == 0 ? (null, "The disk is empty.") : (ReportMap.Of(AllocationMap.Read(disk, ReportMap.CellCount, progress, stop)), null);
        }
        catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.ReferenceForbidden)
        {
            return (null, "What lies where cannot be said, because the disk needs another file, and what is packed names none of this computer.");
        }
        catch (Exception e) when (ImageSurvey.IsOfFile(e))
        {
            Failure = e;
            return (null, "What lies where could not be read: " + ReportText.Reason(e, archive.Name));
        }
    }
}

using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Disks.Recognition;

namespace Qcow2.Engine.Formats.Vhd.Checking;

/// <summary>
/// Finds an image at the start of a fixed disk. Its guest writes there, and QEMU and 7-Zip take what they find for the whole: with a parent that names a
/// file of the host, for one.
/// </summary>
internal static class VhdPlantedImage
{
    /// <summary>By their footer all VHD files are of this kind, whatever is in them.</summary>
    private const string Own = "vhd";

    internal static void Run(FileCheck check)
    {
        var content = new FileContent(check.File);
        string? what = content.Has(0, VhdFooter.Cookie)
            ? "a dynamic or differencing VHD image"
            : DiskFormats.All.FirstOrDefault(format => format is not VhdFormat && format.IsMarked(content))?.Description
                ?? FileSignatures.All.FirstOrDefault(kind => kind.Nature == FileNature.DiskImage && kind.Id != Own && kind.Matches(content))?.Description;
        if (what is not null)
        {
            check.Add(
                check.Distrust, Qcow2CheckFindingKind.FormatPlanted, 0, "Data",
                $"The disk of this fixed VHD begins as {what} does. Its guest can have written that, with the name of any file of the host; programs that look at the start of the file first take it for the image.");
        }
    }
}

using Qcow2.Engine;

namespace Qcow2.PowerShell.Reports;

/// <summary>An image that is shown by what an object says of it, and not opened: its file is not here, or it lies in a file that would have to be unpacked.</summary>
internal static class RememberedImage
{
    /// <summary>Describes an image that is packed in a file.</summary>
    /// <param name="info">What the object says.</param>
    /// <param name="problem">Why it cannot be looked at where it lies, as a sentence; null for one that is compressed.</param>
    internal static ReportImage Packed(Qcow2ImageInfo info, string? problem = null) => ImageDescription.Of(info) with
    {
        NoMap = problem is null
            ? $"There is no map of what lies where, because the image lies compressed ({ReportText.Of(info.PackedIn, 20)}) in its file and nothing is unpacked for a report: unpack or convert it, and make a report of that."
            : $"There is no map of what lies where, and this is what was seen before. {problem}",
    };

    /// <summary>Describes an image whose file is not here.</summary>
    /// <param name="info">What the object says.</param>
    /// <param name="computer">The computer that it came from; null where the file is not there any more.</param>
    internal static ReportImage Of(Qcow2ImageInfo info, string? computer)
    {
        string origin = computer is null
            ? "Its file is not here. This is what an object says that was made of it before."
            : $"Its file lies on the computer {ReportText.Of(computer, 100)}. This is what an object from there says.";
        return ImageDescription.Of(info, computer) with
        {
            Origin = origin,
            NoMap = "There is no map of what lies where, because the file is not here.",
            Below = !string.IsNullOrEmpty(info.ParentPath) && info.BackingFileProblem is null ? [ReportFile.At(info.ParentPath, computer)] : [],
            Broken = info.BackingFileProblem is null ? null : BrokenLink.Below(info, info.BackingFileProblem, isRefused: false, computer),
            Overgrown = SpaceEstimate.Overgrown(info, null),
        };
    }
}

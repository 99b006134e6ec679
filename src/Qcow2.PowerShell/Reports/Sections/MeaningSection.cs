using System.Xml.Linq;
using static Qcow2.PowerShell.Reports.Html.Markup;

namespace Qcow2.PowerShell.Reports.Sections;

/// <summary>What the words of a report mean, for who has not made it.</summary>
internal static class MeaningSection
{
    private static readonly (string Word, string Meaning)[] Words =
    [
        ("Virtual", "The size of the disk as the guest sees it."),
        ("On disk", "What the file takes where it lies. Holes take nothing."),
        ("Reclaimable", "What the file takes on its disk and no cluster in use needs. Optimize-Qcow2Image gives it back, and often more: what holds zeros, or what the backing file holds, too, is only found by reading data. With -Check, leaked clusters count. "
            + "It is known of qcow2 images that Optimize-Qcow2Image takes."),
        ("Overgrown", $"A fifth of the file or more is reclaimable, and at least {ReportText.Size(SpaceEstimate.Notable)}; or the file takes a tenth more than its whole disk has, and that much besides, as old snapshots make it."),
        ("Broken chain", "A file that the image is layered on is missing or cannot be used. The image shows nothing of what lies there."),
        ("Dirty", "The image was not closed well. The data is not affected; what its tables count may be out of date."),
        ("Corrupt", "Some program has found damage and marked the image."),
        ("Damaged", "Something of its metadata is wrong, or a check found errors that endanger data."),
        ("In use", "Another program, such as a running virtual machine, has it open for writing."),
    ];

    internal static XElement Of() => El("section", At("id", "meaning"), At("aria-labelledby", "meaning-title"),
        El("h2", At("id", "meaning-title"), "What the numbers mean"),
        El("dl", At("class", "meaning"), Words.Select(word => El("div", El("dt", word.Word), El("dd", word.Meaning)))));
}

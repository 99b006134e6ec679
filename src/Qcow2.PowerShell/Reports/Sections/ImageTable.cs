using System.Globalization;
using System.Xml.Linq;
using static Qcow2.PowerShell.Reports.Html.Markup;

namespace Qcow2.PowerShell.Reports.Sections;

/// <summary>The table of all images. The script makes its headings sort; without it, it is in the order in which the images were given.</summary>
internal static class ImageTable
{
    internal static XElement Of(IReadOnlyList<ReportImage> images) => El("section", At("id", "images"), At("aria-labelledby", "images-title"),
        El("h2", At("id", "images-title"), "Images"),
        images.Count == 0 ? El("p", "There are none.") : Classed("div", "wide", At("role", "region"), At("aria-labelledby", "images-title"), At("tabindex", "0"),
            El("table", At("id", "image-table"),
                El("caption", Unseen($"{ReportText.Count(images.Count, "image")}, with sizes and states.")),
                El("thead", El("tr",
                    Head("Image", "text"), Head("State", "number"), Head("Format", "text"), Head("Virtual", "number"), Head("On disk", "number"), Head("Reclaimable", "number"), Head("Snapshots", "number"))),
                El("tbody").Then(images.Select(Row)))),
        El("p", At("id", "sorted"), At("class", "unseen"), At("role", "status")));

    private static XElement Head(string name, string kind) => El("th", At("scope", "col"), At("data-kind", kind), kind == "number" && name != "State" ? At("class", "number") : null, name);

    private static XElement Row(ReportImage image, int index)
    {
        IReadOnlyList<ImageState> states = ImageState.Of(image);
        bool isKnown = image.Error is null;
        return El("tr",
            El("th", At("scope", "row"), At("data-value", image.File.Name),
                ImageSection.Link(image, index), image.File.Folder.Length == 0 ? null : Classed("span", "folder", Name(image.File.Folder))),
            El("td", At("data-value", Value(Rank(states))), StateBadges.Of(states) ?? (object)Classed("span", "quiet", "nothing special")),
            Text(image.File.Format),
            Size(isKnown ? image.File.Size : null),
            Size(isKnown ? image.File.AllocatedSize : null, isKnown ? UsedBar(image) : null),
            Size(image.Reclaimable),
            El("td", At("class", "number"), At("data-value", isKnown ? Value(image.SnapshotCount) : ""), isKnown ? ReportText.Number(image.SnapshotCount) : Unknown()));
    }

    private static XElement Text(string text) => El("td", At("data-value", text), text.Length == 0 ? Unknown() : Name(text));

    private static XElement Size(long? bytes, XElement? bar = null)
        => El("td", At("class", "number"), At("data-value", bytes is long value ? Value(value) : ""), bytes is long known ? ReportText.Size(known) : Unknown(), bar);

    private static XElement Unknown() => El("span", At("class", "quiet"), El("span", Decoration(), "–"), Unseen("not known"));

    /// <summary>How much of its disk an image takes, for the eye; the numbers stand beside it.</summary>
    private static XElement UsedBar(ReportImage image)
    {
        double share = image.File.Size <= 0 ? 0 : Math.Min(1, (double)image.File.AllocatedSize / image.File.Size);
        return El("svg", At("class", "used-bar"), Decoration(), At("width", "64"), At("height", "5"),
            El("rect", At("class", "track"), At("width", "64"), At("height", "5")),
            El("rect", At("class", "used"), At("width", (64 * share).ToString("0.#", CultureInfo.InvariantCulture)), At("height", "5")));
    }

    /// <summary>By what the column of states is sorted: what matters most is largest.</summary>
    private static long Rank(IReadOnlyList<ImageState> states) => states.Sum(state => state.Tone switch
    {
        StateTone.Bad => 10_000,
        StateTone.Warning => 100,
        _ => 1,
    });

    private static string Value(long value) => value.ToString(CultureInfo.InvariantCulture);
}

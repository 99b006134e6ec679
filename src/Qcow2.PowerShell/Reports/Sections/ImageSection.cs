using System.Globalization;
using System.Xml.Linq;
using static Qcow2.PowerShell.Reports.Html.Markup;

namespace Qcow2.PowerShell.Reports.Sections;

/// <summary>All that a report says of one image.</summary>
internal static class ImageSection
{
    /// <summary>A link to what is said of an image.</summary>
    internal static XElement Link(ReportImage image, int index) => El("a", At("class", "name"), At("href", "#" + Id(index)), Name(image.File.Name));

    internal static XElement Of(ReportImage image, int index)
    {
        string title = Id(index) + "-title";
        IReadOnlyList<ImageState> states = ImageState.Of(image);
        return El("article", At("id", Id(index)), At("aria-labelledby", title),
            El("header",
                El("h3", At("id", title), Name(image.File.Name)),
                image.File.Folder.Length == 0 ? null : Classed("p", "folder", Name(image.File.Folder)),
                StateBadges.Of(states)),
            States(states),
            Facts(image),
            Map(image),
            SnapshotFigure.Of(image),
            CheckTable.Of(image));
    }

    private static string Id(int index) => "image-" + (index + 1).ToString(CultureInfo.InvariantCulture);

    private static XElement? States(IReadOnlyList<ImageState> states)
        => states.Count == 0 ? null : El("ul", At("class", "notes"), states.Select(state => Classed("li", StateBadges.Class(state.Tone), Name(state.Detail))));

    private static XElement? Facts(ReportImage image)
    {
        IEnumerable<(string Name, string Value)> facts = image.Facts;
        if (image.Reclaimable is long reclaimable)
        {
            facts = facts.Concat([("Reclaimable", reclaimable == 0 ? "nothing that metadata shows" : "at least " + ReportText.SizeAndBytes(reclaimable))]);
        }

        XElement[] shown = [.. facts.Select(fact => El("div", El("dt", fact.Name), El("dd", Name(fact.Value))))];
        return shown.Length == 0 ? null : El("dl", At("class", "facts"), shown);
    }

    private static XElement? Map(ReportImage image)
        => image.Map is ReportMap map ? MapFigure.Of(map, image.File.Name)
            : image.NoMap is null ? null
            : Classed("p", "quiet", Name(image.NoMap));
}

using System.Xml.Linq;
using static Qcow2.PowerShell.Reports.Html.Markup;

namespace Qcow2.PowerShell.Reports.Sections;

/// <summary>The backing chains as trees: what everything else needs is at the root.</summary>
internal static class ChainSection
{
    /// <summary>From here on lists are not nested any more: browsers have a limit, and people, too.</summary>
    private const int MostNested = 40;

    internal static XElement? Of(IReadOnlyList<ReportImage> images)
    {
        var forest = new ChainForest(images);
        ChainNode[] roots = [.. forest.Roots];
        if (images.Count == 0)
        {
            return null;
        }

        string alone = forest.AloneCount == 0 ? "" : roots.Length == 0 ? "No image is layered on another file." : $"{ReportText.Count(forest.AloneCount, "image")} of the report {(forest.AloneCount == 1 ? "is" : "are")} in no chain.";
        return El("section", At("id", "chains"), At("aria-labelledby", "chains-title"),
            El("h2", At("id", "chains-title"), "Backing chains"),
            roots.Length == 0 ? null : El("p", At("class", "quiet"), "Each file needs the one that it is drawn under."),
            roots.Length == 0 ? null : El("ul", At("class", "tree"), roots.Select(root => Node(root, images, 1))),
            alone.Length == 0 ? null : El("p", At("class", "quiet"), alone));
    }

    private static XElement Node(ChainNode node, IReadOnlyList<ReportImage> images, int level)
    {
        XElement item = El("li", node.Broken is null ? File(node, images) : Missing(node.Broken));
        if (level < MostNested)
        {
            item.Add(node.Above.Count == 0 ? null : El("ul", node.Above.Select(above => Node(above, images, level + 1))));
            return item;
        }

        // All that is layered above, one after the other.
        var list = El("ul");
        var waiting = new Stack<(ChainNode Node, int Level)>(node.Above.Reverse().Select(above => (above, level + 1)));
        while (waiting.Count > 0)
        {
            (ChainNode next, int its) = waiting.Pop();
            list.Add(El("li", File(next, images), El("span", At("class", "quiet"), $" level {its}, on "), El("span", At("class", "quiet"), Name(next.Below!.File.Name))));
            foreach (ChainNode above in next.Above.Reverse())
            {
                waiting.Push((above, its + 1));
            }
        }

        item.Add(list.HasElements ? list : null);
        return item;
    }

    private static object?[] File(ChainNode node, IReadOnlyList<ReportImage> images)
    {
        ReportFile file = node.File;
        string facts = string.Join(", ", new[] { file.Format, file.Size > 0 ? ReportText.Size(file.Size) : "", file.AllocatedSize > 0 ? ReportText.Size(file.AllocatedSize) + " on disk" : "" }.Where(text => text.Length > 0));
        XElement? badges = node.Image is int number ? StateBadges.Of(ImageState.Of(images[number])) : null;
        return
        [
            node.Image is int index ? ImageSection.Link(images[index], index) : Classed("span", "name", Name(file.Name)),
            facts.Length == 0 ? null : Classed("span", "quiet", " " + facts),
            node.Image is null ? Classed("span", "quiet", " · not in this report") : null,
            badges,
        ];
    }

    private static object?[] Missing(BrokenLink link) =>
    [
        Classed("span", link.IsRefused ? "refused" : "broken",
            StateBadges.Sign(link.IsRefused ? StateTone.Fact : StateTone.Bad), link.IsRefused ? "not followed: " : "broken link: ", Name(link.Target.Name)),
        El("span", At("class", link.IsRefused ? "quiet reason" : "broken reason"), Name(link.Reason)),
    ];
}

using System.Xml.Linq;
using static Qcow2.PowerShell.Reports.Html.Markup;

namespace Qcow2.PowerShell.Reports.Sections;

/// <summary>What somebody should look at, and why.</summary>
internal static class AttentionSection
{
    private const int MostShown = 100;

    /// <summary>The section; null where nothing needs attention.</summary>
    internal static XElement? Of(IReadOnlyList<ReportImage> images)
    {
        (int Index, StateTone Tone, ImageState[] States)[] all =
        [
            .. images.Select((image, index) => (Index: index, States: ImageState.Of(image)))
                .Where(item => ImageState.NeedsAttention(item.States))
                .Select(item => (item.Index, item.States.Max(state => state.Tone), item.States.Where(state => state.Tone != StateTone.Fact).ToArray()))
                .OrderByDescending(item => item.Item2).ThenBy(item => item.Index),
        ];
        if (all.Length == 0)
        {
            return null;
        }

        return El("section", At("id", "attention"), At("aria-labelledby", "attention-title"),
            El("h2", At("id", "attention-title"), "Needs attention"),
            El("ul", At("class", "attention"), all.Take(MostShown).Select(item => Classed("li", StateBadges.Class(item.Tone),
                ImageSection.Link(images[item.Index], item.Index),
                item.States.Select(state => El("p", StateBadges.Badge(state.Label, state.Tone), " ", Name(state.Detail)))))),
            all.Length > MostShown ? El("p", $"And {ReportText.Number(all.Length - MostShown)} more; the table of images has all of them.") : null);
    }
}

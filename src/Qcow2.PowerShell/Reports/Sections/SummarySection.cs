using System.Globalization;
using System.Xml.Linq;
using static Qcow2.PowerShell.Reports.Html.Markup;

namespace Qcow2.PowerShell.Reports.Sections;

/// <summary>The sums at the top of a report.</summary>
internal static class SummarySection
{
    internal static XElement Of(ReportTotals totals)
    {
        string unread = totals.UnreadCount > 0 ? $"{ReportText.Number(totals.UnreadCount)} of them cannot be read" : "";
        string estimated = totals.EstimatedCount == 0 ? "not known of any image" : Join(ReportText.Share(totals.Reclaimable, totals.Used) is { Length: > 0 } share ? share + " of what is used" : "",
            totals.EstimatedCount < totals.Count ? $"known of {ReportText.Count(totals.EstimatedCount, "image")}" : "");
        return El("section", At("id", "summary"), At("aria-labelledby", "summary-title"),
            El("h2", At("id", "summary-title"), "Summary"),
            Classed("dl", "tiles",
                Tile("Images", ReportText.Number(totals.Count), unread),
                Tile("Virtual size", ReportText.Size(totals.Virtual), "what the guests see"),
                Tile("Used on disk", ReportText.Size(totals.Used), ReportText.Share(totals.Used, totals.Virtual) is { Length: > 0 } used ? used + " of the virtual size" : ""),
                Tile("Reclaimable", totals.EstimatedCount == 0 ? "–" : ReportText.Size(totals.Reclaimable), estimated),
                Tile("Need attention", ReportText.Number(totals.NeedAttention), totals.NeedAttention == 0 ? "nothing was found" : "see below", totals.NeedAttention > 0 ? "tile alert" : "tile")),
            Bar(totals),
            States(totals));
    }

    private static XElement Tile(string name, string value, string detail, string classes = "tile")
        => Classed("div", classes, El("dt", name), El("dd", Classed("span", "figure", value), detail.Length == 0 ? null : Classed("span", "detail", detail)));

    private static string Join(params string[] parts) => string.Join(", ", parts.Where(part => part.Length > 0));

    /// <summary>How much of all disks is used, and how much of that could be given back.</summary>
    private static XElement? Bar(ReportTotals totals)
    {
        if (totals.Virtual <= 0)
        {
            return null;
        }

        double whole = Math.Max(totals.Virtual, totals.Used);
        double used = 100 * totals.Used / whole;
        double reclaimable = 100 * totals.Reclaimable / whole;
        string words = $"Of {ReportText.Size(totals.Virtual)}, {ReportText.Size(totals.Used)} are used on disk; {ReportText.Size(totals.Reclaimable)} of that could be given back.";
        return Classed("figure", "bar",
            El("svg", At("role", "img"), At("aria-label", words), At("height", "16"), At("width", "100%"),
                Rect("track", 0, 100), Rect("used", 0, used), Rect("gain", used - reclaimable, reclaimable)),
            El("figcaption", Decoration(),
                El("span", Key("used"), " used on disk"), El("span", Key("gain"), " of that, reclaimable"), El("span", Key("track"), " virtual size")));
    }

    private static XElement Key(string classes) => El("svg", At("class", "key"), At("width", "14"), At("height", "14"), Rect(classes, 0, 100));

    private static XElement Rect(string classes, double x, double width)
        => El("rect", At("class", classes), At("x", Percent(x)), At("y", "0"), At("width", Percent(width)), At("height", "100%"), classes == "gain" ? At("fill", "url(#hatch)") : null);

    private static string Percent(double value) => Math.Max(0, Math.Min(100, value)).ToString("0.##", CultureInfo.InvariantCulture) + "%";

    private static XElement? States(ReportTotals totals)
    {
        XElement[] states = [.. totals.States.Select(state => El("li", StateBadges.Badge($"{ReportText.Number(state.Count)} {state.Label}", state.Tone)))];
        return states.Length == 0 ? null : El("ul", At("class", "badges"), At("aria-label", "Images by state"), states);
    }
}

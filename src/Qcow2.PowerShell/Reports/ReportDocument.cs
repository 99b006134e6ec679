using System.Xml.Linq;
using Qcow2.PowerShell.Reports.Sections;
using static Qcow2.PowerShell.Reports.Html.Markup;

namespace Qcow2.PowerShell.Reports;

/// <summary>A report as a document: one file that needs no other, in which nothing runs but the script that it comes with.</summary>
/// <param name="title">Its title, as the user gave it.</param>
/// <param name="made">When it was made.</param>
/// <param name="images">The images.</param>
internal sealed class ReportDocument(string title, DateTimeOffset made, IReadOnlyList<ReportImage> images)
{
    private readonly string _title = ReportText.Of(title);

    /// <summary>Builds the document. What is said of each image is made while it is written.</summary>
    internal XElement Build()
    {
        XElement? attention = AttentionSection.Of(images);
        XElement? chains = ChainSection.Of(images);
        return El("html", At("lang", "en"),
            Head(),
            El("body",
                MapSigns.Patterns(),
                El("a", At("class", "skip"), At("href", "#summary"), "Skip to the summary"),
                El("header",
                    El("h1", Name(_title)),
                    El("p", "Made on ", Name(ReportText.Of(Environment.MachineName)), ", ", Time(made), "."),
                    El("nav", At("aria-label", "Contents"), El("ul",
                        Entry("summary", "Summary"),
                        attention is null ? null : Entry("attention", "Needs attention"),
                        Entry("images", "Images"),
                        chains is null ? null : Entry("chains", "Backing chains"),
                        images.Count == 0 ? null : Entry("details", "Each image"),
                        Entry("meaning", "What the numbers mean")))),
                El("main",
                    SummarySection.Of(new ReportTotals(images)),
                    attention,
                    ImageTable.Of(images),
                    chains,
                    images.Count == 0 ? null : El("section", At("id", "details"), At("aria-labelledby", "details-title"), El("h2", At("id", "details-title"), "Each image"))
                        .Then(images.Select(ImageSection.Of)),
                    MeaningSection.Of()),
                El("footer", El("p", $"Qcow2 for PowerShell {typeof(ReportDocument).Assembly.GetName().Version?.ToString(3)}, Export-Qcow2Report.")),
                El("script", ReportAssets.Script)));
    }

    private XElement Head() => El("head",
        El("meta", At("charset", "utf-8")),
        El("meta", At("http-equiv", "Content-Security-Policy"), At("content", ReportAssets.Policy)),
        El("meta", At("name", "viewport"), At("content", "width=device-width, initial-scale=1")),
        El("meta", At("name", "color-scheme"), At("content", "light dark")),
        El("meta", At("name", "referrer"), At("content", "no-referrer")),
        El("title", _title),
        El("style", ReportAssets.Style));

    private static XElement Entry(string id, string name) => El("li", El("a", At("href", "#" + id), name));
}

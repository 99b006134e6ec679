using System.Xml.Linq;
using static Qcow2.PowerShell.Reports.Html.Markup;

namespace Qcow2.PowerShell.Reports.Sections;

/// <summary>What a check found.</summary>
internal static class CheckTable
{
    internal static XElement? Of(ReportImage image)
    {
        if (image.Check is not ReportCheck check)
        {
            return null;
        }

        return Classed("div", "check",
            El("h4", "Check"),
            El("p", At("class", check.IsDamaged ? "bad" : check.IsUnsound ? "warning" : "good"), Name(check.Verdict)),
            check.Findings.Count == 0 ? null : Classed("div", "wide", At("role", "region"), At("aria-label", "Findings"), At("tabindex", "0"),
                El("table",
                    El("caption", Unseen("What the check found.")),
                    El("thead", El("tr", El("th", At("scope", "col"), "Severity"), El("th", At("scope", "col"), "Kind"), El("th", At("scope", "col"), "What"))),
                    El("tbody", check.Findings.Select(finding => El("tr",
                        El("td", StateBadges.Badge(finding.Severity, ToneOf(finding.Severity))), El("td", At("class", "kind"), finding.Kind), El("td", Name(finding.Message))))))),
            check.FindingCount > check.Findings.Count ? El("p", At("class", "quiet"), $"And {ReportText.Number(check.FindingCount - check.Findings.Count)} more; Test-Qcow2Image lists them.") : null);
    }

    private static StateTone ToneOf(string severity) => severity switch
    {
        "Corruption" or "Error" => StateTone.Bad,
        "Leak" or "Warning" => StateTone.Warning,
        _ => StateTone.Fact,
    };
}

using System.Globalization;
using System.Xml.Linq;
using static Qcow2.PowerShell.Reports.Html.Markup;

namespace Qcow2.PowerShell.Reports.Sections;

/// <summary>The internal snapshots of an image: on a line of time, and in a table.</summary>
internal static class SnapshotFigure
{
    private const double Tallest = 28;

    internal static XElement? Of(ReportImage image)
    {
        if (image.SnapshotCount == 0)
        {
            return null;
        }

        int left = image.SnapshotCount - image.Snapshots.Count;
        return Classed("figure", "snapshots",
            El("h4", "Snapshots"),
            Line(image),
            Classed("div", "wide", At("role", "region"), At("aria-label", "Snapshots"), At("tabindex", "0"),
                El("table",
                    El("caption", Unseen($"{ReportText.Count(image.SnapshotCount, "snapshot")} of {image.File.Name}.")),
                    El("thead", El("tr", El("th", At("scope", "col"), "Snapshot"), El("th", At("scope", "col"), "Taken"),
                        El("th", At("scope", "col"), At("class", "number"), "Disk"), El("th", At("scope", "col"), At("class", "number"), "Saved state"))),
                    El("tbody", image.Snapshots.Select(Row)))),
            left > 0 ? El("p", At("class", "quiet"), $"{ReportText.Number(left)} older ones are left out.") : null);
    }

    private static XElement Row(ReportSnapshot snapshot) => El("tr",
        El("th", At("scope", "row"), Classed("span", "name", Name(snapshot.Name.Length == 0 ? "(no name)" : snapshot.Name)), " ", Classed("span", "quiet", "id ", Name(snapshot.Id)),
            snapshot.Problem is null ? null : El("p", StateBadges.Badge("damaged", StateTone.Bad), " ", Name(snapshot.Problem))),
        El("td", snapshot.Time is DateTimeOffset time ? Time(time) : Classed("span", "quiet", "not known")),
        El("td", At("class", "number"), ReportText.Size(snapshot.DiskSize)),
        El("td", At("class", "number"), snapshot.StateSize > 0 ? ReportText.Size(snapshot.StateSize) : Classed("span", "quiet", "none")));

    /// <summary>A mark for each snapshot where its time is; where the state of the machine was saved, as high as that is large.</summary>
    private static XElement? Line(ReportImage image)
    {
        (ReportSnapshot Snapshot, DateTimeOffset Time)[] dated = [.. image.Snapshots.Where(snapshot => snapshot.Time is not null).Select(snapshot => (snapshot, snapshot.Time!.Value))];
        if (dated.Length == 0)
        {
            return null;
        }

        DateTimeOffset first = dated.Min(item => item.Time);
        DateTimeOffset last = dated.Max(item => item.Time);
        double span = (last - first).TotalSeconds;
        long largest = dated.Max(item => item.Snapshot.StateSize);
        double line = largest > 0 ? Tallest + 16 : 10;
        string words = dated.Length == 1 ? $"One snapshot, of {ReportText.Time(first)}." : $"{dated.Length} snapshots from {ReportText.Time(first)} to {ReportText.Time(last)}.";
        return El("div", At("class", "time-line"),
            El("svg", At("role", "img"), At("aria-label", words), At("width", "100%"), At("height", Number(line + 10)),
                El("line", At("class", "axis"), At("x1", "1%"), At("x2", "99%"), At("y1", Number(line)), At("y2", Number(line))),
                dated.Select(item => Mark(item.Snapshot, span <= 0 ? 0.5 : (item.Time - first).TotalSeconds / span, line, largest))),
            dated.Length == 1 ? El("p", At("class", "middle"), Moment(first, span)) : El("p", Moment(first, span), Moment(last, span)));
    }

    private static XElement[] Mark(ReportSnapshot snapshot, double position, double line, long largest)
    {
        string x = Number(3 + (94 * position)) + "%";
        XElement dot = El("circle", At("class", snapshot.Problem is not null ? "snapshot broken" : snapshot.StateSize > 0 ? "snapshot saved" : "snapshot"), At("cx", x), At("cy", Number(line)), At("r", "5"));
        return snapshot.StateSize == 0 ? [dot]
            : [El("line", At("class", "stem"), At("x1", x), At("x2", x), At("y1", Number(line)), At("y2", Number(line - 8 - (Tallest * snapshot.StateSize / largest)))), dot];
    }

    /// <summary>An end of the line: a day, or a time of one where the line is short.</summary>
    private static XElement Moment(DateTimeOffset time, double span)
        => El("time", At("datetime", ReportText.MachineTime(time)), time.ToString(span > 3 * 86_400 ? "yyyy-MM-dd" : "yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture));

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}

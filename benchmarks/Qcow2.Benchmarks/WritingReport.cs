using System.Globalization;

namespace Qcow2.Benchmarks;

/// <summary>The README's table of writing. Each line of results is a row's name, whose run it was and how much it did a second.</summary>
internal static class WritingReport
{
    internal static void Write(string resultsPath, string readmePath)
    {
        string[] lines = File.ReadAllLines(resultsPath);
        IEnumerable<string> machine = lines.Where(line => line.StartsWith('#')).Select(line => line.TrimStart('#', ' '));
        IEnumerable<string> rows = lines
            .Where(line => line.Length > 0 && !line.StartsWith('#'))
            .Select(line => line.Split('\t'))
            .GroupBy(fields => fields[0])
            .Select(row => Row(row.Key, row));
        Report.ReplaceBetween(readmePath, "<!-- writing: written by run.sh -->", "<!-- end of writing -->", string.Join('\n', [
            "", string.Join(' ', machine), "",
            "| row | rounds | qemu: a second | ours, first pass | ours, second pass | second pass / qemu |",
            "|---|--:|--:|--:|--:|--:|",
            .. rows, ""]));
    }

    private static string Row(string name, IEnumerable<string[]> runs)
    {
        ILookup<string, double> of = runs.ToLookup(fields => fields[1], fields => double.Parse(fields[2], CultureInfo.InvariantCulture));
        double theirs = Report.Median(of["qemu"]);
        double ours = Report.Median(of["warm"]);
        return $"| {name} | {of.Max(program => program.Count())} | {Text(theirs, "#,0")} | {Text(Report.Median(of["cold"]), "#,0")} "
            + $"| {Text(ours, "#,0")} | {Text(ours / theirs, "0.00")} |";
    }

    private static string Text(double value, string format) => double.IsNaN(value) ? "" : value.ToString(format, CultureInfo.InvariantCulture);
}

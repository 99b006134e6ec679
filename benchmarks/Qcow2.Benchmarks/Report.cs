using System.Globalization;

namespace Qcow2.Benchmarks;

/// <summary>One run of one program: what <c>run.sh</c> writes, a line each, separated by tabs.</summary>
internal sealed record Measurement(string Row, string Program, double Seconds, double CpuSeconds, double PeakMiB)
{
    internal static Measurement Parse(string line)
    {
        string[] fields = line.Split('\t');
        return new Measurement(fields[0], fields[1], Number(fields[2]), Number(fields[3]), Number(fields[4]) / 1024);
    }

    // Empty where it was not measured.
    private static double Number(string text) => text.Length == 0 ? double.NaN : double.Parse(text, CultureInfo.InvariantCulture);
}

/// <summary>The README's table: medians of every row, theirs beside ours.</summary>
internal static class Report
{
    internal static void Write(string resultsPath, string readmePath, string table = "results")
    {
        string[] lines = File.ReadAllLines(resultsPath);
        IEnumerable<string> machine = lines.Where(line => line.StartsWith('#')).Select(line => line.TrimStart('#', ' '));
        IEnumerable<string> rows = lines
            .Where(line => line.Length > 0 && !line.StartsWith('#'))
            .Select(Measurement.Parse)
            .GroupBy(run => run.Row)
            .Select(Row);

        ReplaceBetween(readmePath, $"<!-- {table}: written by run.sh -->", $"<!-- end of {table} -->", string.Join('\n', [
            "", string.Join(' ', machine), "",
            "| row | rounds | qemu-img: s (CPU s, MiB) | ours: s (CPU s, MiB) | time, ours / theirs | CPU, ours / theirs |",
            "|---|--:|--:|--:|--:|--:|",
            .. rows, ""]));
    }

    /// <summary>Puts text between two lines of a file, in place of what is there.</summary>
    internal static void ReplaceBetween(string path, string beginLine, string endLine, string text)
    {
        string old = File.ReadAllText(path);
        int begin = old.IndexOf(beginLine, StringComparison.Ordinal) + beginLine.Length;
        int end = old.IndexOf(endLine, begin, StringComparison.Ordinal);
        if (begin < beginLine.Length || end < 0)
        {
            throw new InvalidDataException($"{path} lacks the lines '{beginLine}' and '{endLine}'.");
        }

        File.WriteAllText(path, string.Concat(old.AsSpan(0, begin), text, old.AsSpan(end)));
    }

    internal static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        int middle = sorted.Length / 2;
        return sorted.Length switch
        {
            0 => double.NaN,
            _ when sorted.Length % 2 == 1 => sorted[middle],
            _ => (sorted[middle - 1] + sorted[middle]) / 2,
        };
    }

    private static string Row(IGrouping<string, Measurement> row)
    {
        Summary theirs = Summary.Of(row.Where(run => run.Program == "qemu-img"));
        Summary ours = Summary.Of(row.Where(run => run.Program != "qemu-img"));
        string time = Ratio(ours.Seconds, theirs.Seconds);
        string cpu = Ratio(ours.CpuSeconds, theirs.CpuSeconds);
        return $"| {row.Key} | {ours.Rounds} | {theirs} | {ours} | {time} | {cpu} |";
    }

    private static string Ratio(double ours, double theirs)
        => double.IsNaN(ours) || !(theirs > 0) ? "" : (ours / theirs).ToString("0.00", CultureInfo.InvariantCulture);

    private readonly record struct Summary(int Rounds, double Seconds, double CpuSeconds, double PeakMiB)
    {
        internal static Summary Of(IEnumerable<Measurement> runs)
        {
            Measurement[] all = [.. runs];
            return new Summary(
                all.Length, Median(all.Select(run => run.Seconds)), Median(all.Select(run => run.CpuSeconds)), Median(all.Select(run => run.PeakMiB)));
        }

        public override string ToString()
        {
            if (Rounds == 0)
            {
                return "";
            }

            string seconds = Seconds.ToString(Seconds < 1 ? "0.000" : "0.00", CultureInfo.InvariantCulture);
            return double.IsNaN(CpuSeconds) ? seconds : string.Create(CultureInfo.InvariantCulture, $"{seconds} ({CpuSeconds:0.00}, {PeakMiB:0})");
        }
    }
}

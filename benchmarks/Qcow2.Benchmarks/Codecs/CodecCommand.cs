using System.Diagnostics;
using System.Globalization;

namespace Qcow2.Benchmarks.Codecs;

/// <summary>Codecs beside each other on one core: MiB of clusters a second, and what the clusters take compressed.</summary>
internal static class CodecCommand
{
    private const int SampleClusters = 512;
    private const int DefaultRounds = 15;

    /// <summary>How long each codec runs before it is measured, so that the JIT has done what it will.</summary>
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1.5);

    /// <summary>Measures the codecs whose names contain a text.</summary>
    /// <remarks>
    /// They take turns. What counts is the fastest time of each cluster: other work on the machine makes a round slower, nothing makes it faster, and a
    /// cluster takes so little time that one of its rounds is undisturbed.
    /// </remarks>
    internal static void Run(string path, string filter, string rounds, TextWriter output)
    {
        CodecRow[] rows = [.. CodecRows.For(CodecSample.Draw(path, SampleClusters)).Where(row => row.Name.Contains(filter, StringComparison.Ordinal))];
        foreach (CodecRow row in rows)
        {
            row.Verify();
            long begin = Stopwatch.GetTimestamp();
            for (int i = 0; Stopwatch.GetElapsedTime(begin) < WarmUp; i++)
            {
                row.Run(i % row.Count);
            }
        }

        long[][] best = [.. rows.Select(row => Enumerable.Repeat(long.MaxValue, row.Count).ToArray())];
        int count = rounds.Length == 0 ? DefaultRounds : int.Parse(rounds, CultureInfo.InvariantCulture);
        for (int round = 0; round < count; round++)
        {
            for (int i = 0; i < rows.Length; i++)
            {
                for (int cluster = 0; cluster < rows[i].Count; cluster++)
                {
                    long begin = Stopwatch.GetTimestamp();
                    rows[i].Run(cluster);
                    best[i][cluster] = Math.Min(best[i][cluster], Stopwatch.GetTimestamp() - begin);
                }
            }
        }

        output.WriteLine("| codec | MiB/s, one core | compressed to |\n|---|--:|--:|");
        for (int i = 0; i < rows.Length; i++)
        {
            double speed = rows[i].Bytes / ((double)best[i].Sum() / Stopwatch.Frequency) / (1 << 20);
            double? share = (double?)rows[i].CompressedBytes / rows[i].Bytes;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {rows[i].Name} | {speed:0} | {share:0.00 %} |"));
        }
    }
}

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Turns ranges that may overlap as they like into stretches that do not, each with the number of ranges it lies in: however
/// often a hostile image refers to one place, the place is examined once.
/// </summary>
internal static class WeightedRanges
{
    /// <summary>Takes ranges apart where one begins or ends.</summary>
    /// <param name="ranges">Start and end of each, end excluded.</param>
    internal static List<WeightedRange> Sweep(IEnumerable<(long Start, long End)> ranges)
    {
        var edges = new List<(long At, int Change)>();
        foreach ((long start, long end) in ranges)
        {
            if (end > start)
            {
                edges.Add((start, 1));
                edges.Add((end, -1));
            }
        }

        edges.Sort((a, b) => a.At.CompareTo(b.At));
        var stretches = new List<WeightedRange>();
        long weight = 0;
        for (int i = 0; i < edges.Count; i++)
        {
            if (weight > 0 && edges[i].At > edges[i - 1].At)
            {
                stretches.Add(new WeightedRange(edges[i - 1].At, edges[i].At, weight));
            }

            weight += edges[i].Change;
        }

        return stretches;
    }
}

/// <summary>A stretch of the file that a number of tables share.</summary>
internal readonly record struct WeightedRange(long Start, long End, long Weight);

namespace Qcow2.PowerShell.Reports;

/// <summary>The sums of a report. Sizes come out of files and may be anything: what would be too large stays at the largest number.</summary>
internal sealed class ReportTotals
{
    private readonly Dictionary<string, (StateTone Tone, int Count)> _states = new(StringComparer.Ordinal);

    /// <summary>Adds up images.</summary>
    internal ReportTotals(IReadOnlyList<ReportImage> images)
    {
        foreach (ReportImage image in images)
        {
            Count++;
            UnreadCount += image.Error is null ? 0 : 1;
            Virtual = Sum(Virtual, image.File.Size);
            Used = Sum(Used, image.File.AllocatedSize);
            IReadOnlyList<ImageState> states = ImageState.Of(image);
            NeedAttention += ImageState.NeedsAttention(states) ? 1 : 0;
            foreach (ImageState state in states)
            {
                _states[state.Label] = (state.Tone, _states.TryGetValue(state.Label, out (StateTone Tone, int Count) known) ? known.Count + 1 : 1);
            }

            if (image.Reclaimable is long reclaimable)
            {
                Reclaimable = Sum(Reclaimable, reclaimable);
                EstimatedCount++;
            }
        }
    }

    internal int Count { get; private set; }

    /// <summary>Images of which nothing is known.</summary>
    internal int UnreadCount { get; private set; }

    /// <summary>Images that somebody should look at.</summary>
    internal int NeedAttention { get; private set; }

    /// <summary>Bytes of all disks.</summary>
    internal long Virtual { get; private set; }

    /// <summary>Bytes that the files take.</summary>
    internal long Used { get; private set; }

    /// <summary>Bytes that Optimize-Qcow2Image would give back at least.</summary>
    internal long Reclaimable { get; private set; }

    /// <summary>Of how many images that is known.</summary>
    internal int EstimatedCount { get; private set; }

    /// <summary>How many images are in which state; what matters most comes first.</summary>
    internal IEnumerable<(string Label, StateTone Tone, int Count)> States
        => _states.OrderByDescending(state => state.Value.Tone).ThenByDescending(state => state.Value.Count).ThenBy(state => state.Key, StringComparer.Ordinal)
            .Select(state => (state.Key, state.Value.Tone, state.Value.Count));

    private static long Sum(long sum, long more) => more > long.MaxValue - sum ? long.MaxValue : sum + Math.Max(0, more);
}

namespace Qcow2.Engine.Disks.Checking;

/// <summary>Counts what is found and keeps the first of it, the same however many threads look. Safe from many threads.</summary>
internal sealed class FindingLog(int maxKept)
{
    private readonly List<(FindingOrder Order, Qcow2CheckFinding Finding)> _kept = [];
    private readonly long[] _counts = new long[(int)Qcow2CheckSeverity.Error + 1];
    private readonly object _gate = new();
    private FindingOrder? _last;
    private long _total;

    internal long Corruptions => Count(Qcow2CheckSeverity.Corruption);

    internal long Leaks => Count(Qcow2CheckSeverity.Leak);

    internal long Errors => Count(Qcow2CheckSeverity.Error);

    internal long Warnings => Count(Qcow2CheckSeverity.Warning);

    internal long Total => Interlocked.Read(ref _total);

    /// <summary>Notes a finding.</summary>
    /// <param name="order">Its place among all findings.</param>
    /// <param name="severity">How bad it is.</param>
    /// <param name="weight">How often it counts: once for each table that shows it.</param>
    /// <param name="describe">Makes the finding; called only if it is kept.</param>
    internal void Add(FindingOrder order, Qcow2CheckSeverity severity, long weight, Func<Qcow2CheckFinding> describe)
    {
        Interlocked.Add(ref _counts[(int)severity], weight);
        Interlocked.Increment(ref _total);
        lock (_gate)
        {
            if (_last is FindingOrder last && order.CompareTo(last) >= 0)
            {
                return;
            }

            Qcow2CheckFinding finding = describe();
            finding.Severity = severity;
            _kept.Add((order, finding));
            if (_kept.Count >= Math.Max(16, maxKept * 2))
            {
                Trim();
            }
        }
    }

    /// <summary>The findings that are kept, in their order.</summary>
    internal Qcow2CheckFinding[] ToArray()
    {
        lock (_gate)
        {
            Trim();
            return [.. _kept.Select(kept => kept.Finding)];
        }
    }

    private long Count(Qcow2CheckSeverity severity) => Interlocked.Read(ref _counts[(int)severity]);

    private void Trim()
    {
        _kept.Sort((a, b) => a.Order.CompareTo(b.Order));
        if (_kept.Count > maxKept)
        {
            _kept.RemoveRange(maxKept, _kept.Count - maxKept);
            _last = maxKept == 0 ? default(FindingOrder) : _kept[maxKept - 1].Order;
        }
    }
}

/// <summary>The place of a finding among all others.</summary>
/// <param name="Stage">The part of the check, by its place among them.</param>
/// <param name="Major">Where it looked: a table.</param>
/// <param name="Minor">Where in that.</param>
internal readonly record struct FindingOrder(int Stage, long Major = 0, long Minor = 0) : IComparable<FindingOrder>
{
    public int CompareTo(FindingOrder other)
    {
        int stage = Stage.CompareTo(other.Stage);
        int major = stage != 0 ? stage : Major.CompareTo(other.Major);
        return major != 0 ? major : Minor.CompareTo(other.Minor);
    }
}

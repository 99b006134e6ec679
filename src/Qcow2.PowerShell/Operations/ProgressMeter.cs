using System.Diagnostics;
using System.Management.Automation;

namespace Qcow2.PowerShell.Operations;

/// <summary>
/// Decides when progress is worth showing, and what it says: nothing in the first second, then a few times a second bytes
/// done, rate and time left; and one last record if anything was shown.
/// </summary>
internal sealed class ProgressMeter
{
    private const int ActivityId = 0x51464920; // One of this module's own, so that a script's own progress bar stays.
    private static readonly TimeSpan Delay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan RateWindow = TimeSpan.FromSeconds(5);

    private readonly string _activity;
    private readonly Func<TimeSpan> _clock;
    private readonly Queue<(TimeSpan Time, long Done)> _samples = new();
    private TimeSpan _due = Delay;
    private bool _shown;

    /// <summary>Starts the clock.</summary>
    /// <param name="activity">What goes on, for people.</param>
    /// <param name="clock">Time since the start; null for the real one.</param>
    internal ProgressMeter(string activity, Func<TimeSpan>? clock = null)
    {
        _activity = activity;
        _clock = clock ?? StartWatch();
        _samples.Enqueue((TimeSpan.Zero, 0));
    }

    /// <summary>The record to show now; null if it is not time for one.</summary>
    /// <param name="done">Bytes done; less than 0 where that is not known.</param>
    /// <param name="total">Bytes to do.</param>
    internal ProgressRecord? Next(long done, long total)
    {
        TimeSpan now = _clock();
        Sample(now, done);
        if (now < _due)
        {
            return null;
        }

        _due = now + Interval;
        _shown = true;
        double rate = Rate(now, done);
        return new ProgressRecord(ActivityId, _activity, Describe(done, total, rate))
        {
            PercentComplete = total > 0 && done >= 0 ? (int)(done * 100.0 / total) : -1,
            SecondsRemaining = rate > 0 && done < total ? (int)Math.Min(int.MaxValue, Math.Ceiling((total - done) / rate)) : -1,
        };
    }

    /// <summary>The record that takes the progress away; null if none was shown.</summary>
    internal ProgressRecord? Complete()
    {
        if (!_shown)
        {
            return null;
        }

        _shown = false;
        return new ProgressRecord(ActivityId, _activity, "Done") { RecordType = ProgressRecordType.Completed, PercentComplete = 100 };
    }

    private static string Describe(long done, long total, double rate)
        => total <= 0 && done <= 0 ? "Starting" // How much there is to do is found out by the work itself.
            : done < 0 ? DisplayText.Size(total)
            : done >= total && total > 0 ? $"{DisplayText.Size(total)}, waiting for the disk to have it all"
            : rate > 0 ? $"{DisplayText.Size(done)} of {DisplayText.Size(total)}, {DisplayText.Size((long)rate)}/s"
            : $"{DisplayText.Size(done)} of {DisplayText.Size(total)}";

    private static Func<TimeSpan> StartWatch()
    {
        var watch = Stopwatch.StartNew();
        return () => watch.Elapsed;
    }

    /// <summary>Keeps what the rate of the last seconds is reckoned from.</summary>
    private void Sample(TimeSpan now, long done)
    {
        while (_samples.Count > 1 && now - _samples.Peek().Time > RateWindow)
        {
            _samples.Dequeue();
        }

        _samples.Enqueue((now, done));
    }

    private double Rate(TimeSpan now, long done)
    {
        (TimeSpan time, long before) = _samples.Peek();
        double seconds = (now - time).TotalSeconds;
        return seconds > 0 ? (done - before) / seconds : 0;
    }
}

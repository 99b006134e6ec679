using System.Diagnostics;
using System.Management.Automation;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Reports;

/// <summary>How far a report is: which image, and how much of it. Nothing is shown in the first second, and a few times a second after that.</summary>
internal sealed class ReportProgress : IProgress<WorkProgress>
{
    private const int ActivityId = 0x51464920; // As all of this module's.
    private static readonly TimeSpan Delay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly Func<TimeSpan> _clock;
    private TimeSpan _due = Delay;
    private bool _isShown;
    private long _done;
    private long _total;

    /// <summary>Starts the clock.</summary>
    /// <param name="clock">Time since the start; null for the real one.</param>
    internal ReportProgress(Func<TimeSpan>? clock = null)
    {
        var watch = Stopwatch.StartNew();
        _clock = clock ?? (() => watch.Elapsed);
    }

    /// <summary>How many images there are as far as is known.</summary>
    internal int Known { get; set; }

    /// <summary>Takes from the engine how far it is with one image; called by its threads, often.</summary>
    public void Report(WorkProgress value)
    {
        Interlocked.Exchange(ref _total, value.BytesTotal);
        Interlocked.Exchange(ref _done, value.BytesDone);
    }

    /// <summary>The record to show now; null if it is not time for one.</summary>
    /// <param name="number">Which image, from 1.</param>
    /// <param name="name">Its name, as it is shown.</param>
    internal ProgressRecord? Next(int number, string name)
    {
        TimeSpan now = _clock();
        if (now < _due)
        {
            return null;
        }

        _due = now + Interval;
        _isShown = true;
        double total = Interlocked.Read(ref _total);
        double part = total > 0 ? Math.Min(1, Interlocked.Read(ref _done) / total) : 0;
        return new ProgressRecord(ActivityId, "Making a report", Known > 1 ? $"{name} ({number} of {Known})" : name)
        {
            PercentComplete = Known > 0 ? (int)Math.Min(100, 100 * (number - 1 + part) / Known) : -1,
        };
    }

    /// <summary>Begins with another image.</summary>
    internal void BeginImage()
    {
        Interlocked.Exchange(ref _done, 0);
        Interlocked.Exchange(ref _total, 0);
    }

    /// <summary>The record that takes the progress away; null if none was shown.</summary>
    internal ProgressRecord? Complete()
        => _isShown ? new ProgressRecord(ActivityId, "Making a report", "Done") { RecordType = ProgressRecordType.Completed, PercentComplete = 100 } : null;
}

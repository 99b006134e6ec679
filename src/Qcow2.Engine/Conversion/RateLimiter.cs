using System.Diagnostics;

namespace Qcow2.Engine.Conversion;

/// <summary>
/// Keeps several threads together below a number of bytes a second, on the average since the last long pause. Bytes are waited for before
/// they are copied. Small waits are saved up, because a host lets a thread sleep longer than it asked to; what it slept too long is made good.
/// </summary>
/// <param name="bytesPerSecond">The limit; 0 for none.</param>
/// <param name="clock">The time that has passed; null for that of the host.</param>
/// <param name="sleep">How a thread sleeps; null for a sleep that the token ends.</param>
internal sealed class RateLimiter(long bytesPerSecond, Func<TimeSpan>? clock = null, Action<TimeSpan, CancellationToken>? sleep = null)
{
    /// <summary>A wait handle takes no more than 24 days at once.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromDays(1);

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(10);

    /// <summary>More than a thread oversleeps; a source that was slow for longer does not allow a burst after it.</summary>
    private static readonly TimeSpan MostCredit = TimeSpan.FromMilliseconds(50);

    private readonly object _gate = new();
    private readonly Func<TimeSpan> _clock = clock ?? StartClock();
    private readonly Action<TimeSpan, CancellationToken> _sleep = sleep ?? Sleep;
    private TimeSpan _free;

    /// <summary>Waits until this many bytes may be copied.</summary>
    /// <exception cref="OperationCanceledException">The wait was ended.</exception>
    internal void Wait(long bytes, CancellationToken cancellationToken)
    {
        if (bytesPerSecond == 0)
        {
            return;
        }

        TimeSpan end;
        lock (_gate)
        {
            TimeSpan earliest = _clock() - MostCredit;

            // Not TimeSpan.FromSeconds, which .NET Framework rounds to milliseconds.
            _free = (_free > earliest ? _free : earliest) + TimeSpan.FromTicks((long)((double)bytes / bytesPerSecond * TimeSpan.TicksPerSecond));
            end = _free;
        }

        TimeSpan pause = end - _clock();
        if (pause < ShortestPause)
        {
            return;
        }

        for (; pause > TimeSpan.Zero; pause = end - _clock())
        {
            // Up to the next millisecond, or the last one would be spent asking again and again.
            TimeSpan rounded = pause < LongestPause ? TimeSpan.FromMilliseconds(Math.Ceiling(pause.TotalMilliseconds)) : LongestPause;
            _sleep(rounded, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private static Func<TimeSpan> StartClock()
    {
        var watch = Stopwatch.StartNew();
        return () => watch.Elapsed;
    }

    private static void Sleep(TimeSpan time, CancellationToken cancellationToken) => cancellationToken.WaitHandle.WaitOne(time);
}

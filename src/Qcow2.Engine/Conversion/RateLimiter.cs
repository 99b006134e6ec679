using System.Diagnostics;

namespace Qcow2.Engine.Conversion;

/// <summary>
/// Keeps several threads together below a number of bytes a second, on the average since the last pause. Bytes are waited for before
/// they are copied, so that no copy ends earlier than its size and the limit say.
/// </summary>
/// <param name="bytesPerSecond">The limit; 0 for none.</param>
internal sealed class RateLimiter(long bytesPerSecond)
{
    /// <summary>A wait handle takes no more than 24 days at once.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromDays(1);

    private readonly object _gate = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();
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
            TimeSpan now = _clock.Elapsed;
            end = (_free > now ? _free : now) + TimeSpan.FromSeconds((double)bytes / bytesPerSecond);
            _free = end;
        }

        for (TimeSpan pause = end - _clock.Elapsed; pause > TimeSpan.Zero; pause = end - _clock.Elapsed)
        {
            // Up to the next millisecond, or the last one would be spent asking again and again.
            TimeSpan rounded = pause < LongestPause ? TimeSpan.FromMilliseconds(Math.Ceiling(pause.TotalMilliseconds)) : LongestPause;
            cancellationToken.WaitHandle.WaitOne(rounded);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }
}

using System.Diagnostics;

namespace Qcow2.Engine.Conversion;

/// <summary>Keeps several threads together below a number of bytes a second, on the average since the last pause.</summary>
/// <param name="bytesPerSecond">The limit; 0 for none.</param>
internal sealed class RateLimiter(long bytesPerSecond)
{
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

        TimeSpan pause;
        lock (_gate)
        {
            TimeSpan now = _clock.Elapsed;
            TimeSpan start = _free > now ? _free : now;
            _free = start + TimeSpan.FromSeconds((double)bytes / bytesPerSecond);
            pause = start - now;
        }

        if (pause > TimeSpan.Zero && cancellationToken.WaitHandle.WaitOne(pause))
        {
            cancellationToken.ThrowIfCancellationRequested();
        }
    }
}

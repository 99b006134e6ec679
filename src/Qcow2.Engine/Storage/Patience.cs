using System.Diagnostics;

namespace Qcow2.Engine.Storage;

/// <summary>
/// Tries again for a while what fails because a file is open for a moment: scanners for viruses and indexers open every new file on Windows, and
/// some do not share its deletion, which renaming takes.
/// </summary>
internal sealed class Patience
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(250);

    private readonly TimeSpan _limit;
    private readonly Func<TimeSpan> _clock;
    private readonly Action<TimeSpan> _sleep;

    /// <summary>Patience by the host's clock.</summary>
    /// <param name="limit">How long; the last attempt begins no later.</param>
    internal Patience(TimeSpan limit)
    {
        var watch = Stopwatch.StartNew();
        _limit = limit;
        _clock = () => watch.Elapsed;
        _sleep = Thread.Sleep;
    }

    /// <summary>Patience by a clock of a test's.</summary>
    internal Patience(TimeSpan limit, Func<TimeSpan> clock, Action<TimeSpan> sleep)
    {
        _limit = limit;
        _clock = clock;
        _sleep = sleep;
    }

    /// <summary>Before a file is taken: a user waits for the answer.</summary>
    internal static Patience ForOpening => new(TimeSpan.FromSeconds(2));

    /// <summary>For a file that took long to make.</summary>
    internal static Patience ForRenaming => new(TimeSpan.FromSeconds(10));

    /// <summary>Tries until it succeeds, fails for another reason, or the time is up.</summary>
    /// <param name="attempt">What is tried; returns 0, or the host's number of the error.</param>
    /// <param name="mayPass">Whether waiting may end an error.</param>
    /// <returns>What the last attempt returned.</returns>
    internal int Try(Func<int> attempt, Func<int, bool> mayPass)
    {
        TimeSpan pause = FirstPause;
        while (true)
        {
            int error = attempt();
            if (error == 0 || !mayPass(error) || _clock() >= _limit)
            {
                return error;
            }

            _sleep(pause);
            pause = pause + pause < LongestPause ? pause + pause : LongestPause;
        }
    }
}

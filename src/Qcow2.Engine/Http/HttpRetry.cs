namespace Qcow2.Engine.Http;

/// <summary>When a request is repeated, and after which pause: each is twice as long as the last, and by chance longer or shorter, so that many clients do not come back at once.</summary>
/// <param name="options">How often, and how soon.</param>
internal sealed class HttpRetry(HttpFileOptions options)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    /// <summary>A server may ask for more patience than for our own pauses, but not for any.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(2);

    private int _failures;

    /// <summary>Forgets what failed, because much has come since.</summary>
    internal void Reset() => _failures = 0;

    /// <summary>Waits before a repetition.</summary>
    /// <param name="failure">What failed.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="Qcow2Exception">It has failed too often.</exception>
    internal Task PauseAsync(TransientHttpException failure, CancellationToken cancellationToken)
    {
        if (++_failures > options.MaxRetryCount)
        {
            string tries = _failures == 1 ? "" : $" It was tried {_failures} times.";
            throw HttpErrors.Failed($"{failure.Message}.{tries}", failure.InnerException ?? failure);
        }

        return Task.Delay(PauseAfter(_failures, failure.Wait), cancellationToken);
    }

    /// <summary>How long to wait.</summary>
    /// <param name="failures">How often it has failed.</param>
    /// <param name="asked">What the server asked for; null for nothing.</param>
    internal TimeSpan PauseAfter(int failures, TimeSpan? asked)
    {
        double longest = Math.Max(LongestPause.TotalSeconds, options.RetryInterval.TotalSeconds);
        double pause = Math.Min(longest, options.RetryInterval.TotalSeconds * Math.Pow(2, Math.Min(failures - 1, 30)));
        double chance = 0.75 + ((Guid.NewGuid().GetHashCode() & 0xffff) / 131_072.0); // 0.75 to 1.25
        double seconds = pause * chance;
        return TimeSpan.FromSeconds(asked is TimeSpan wait ? Math.Max(seconds, Math.Min(wait.TotalSeconds, LongestWait.TotalSeconds)) : seconds);
    }
}

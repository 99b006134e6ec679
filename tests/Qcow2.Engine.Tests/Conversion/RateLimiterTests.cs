using Qcow2.Engine.Conversion;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>The limit is kept, and made use of, by a clock that only sleeping moves.</summary>
public sealed class RateLimiterTests
{
    [Theory]
    [InlineData(64 << 10, 3_000, 200_000_000)]
    [InlineData(512, 10_000, 1_000_000)]
    [InlineData(2 << 20, 20, 50_000_000)]
    public void Host_that_oversleeps_costs_nothing_of_the_rate(int bytes, int count, long rate)
    {
        TimeSpan now = TimeSpan.Zero;
        var limiter = new RateLimiter(rate, () => now, (time, _) => now += time + TimeSpan.FromMilliseconds(1));
        for (int i = 0; i < count; i++)
        {
            limiter.Wait(bytes, default);
        }

        double due = (double)bytes * count / rate;
        Assert.InRange(now.TotalSeconds, due - 0.010, due + 0.002);
    }

    [Fact]
    public void Time_in_which_nothing_was_copied_allows_no_burst()
    {
        TimeSpan now = TimeSpan.Zero;
        var limiter = new RateLimiter(1_000_000, () => now, (time, _) => now += time);
        limiter.Wait(1_000_000, default);
        now += TimeSpan.FromSeconds(60);
        TimeSpan start = now;
        limiter.Wait(1_000_000, default);
        Assert.InRange((now - start).TotalSeconds, 0.95, 1.0);
    }
}

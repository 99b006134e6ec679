using System.Diagnostics;
using Qcow2.PowerShell.Tests.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Tests.Operations;

public sealed class LongOperationTests
{
    [Fact]
    public void Work_runs_elsewhere_and_pulses_come_here()
    {
        int here = Environment.CurrentManagedThreadId;
        int worker = here;
        var pulses = new List<int>();
        LongOperation.Run(
            _ =>
            {
                worker = Environment.CurrentManagedThreadId;
                Thread.Sleep(700);
            },
            () => pulses.Add(Environment.CurrentManagedThreadId),
            CancellationToken.None);
        Assert.NotEqual(here, worker);
        Assert.NotEmpty(pulses);
        Assert.All(pulses, thread => Assert.Equal(here, thread));
    }

    [Fact]
    public void A_failure_arrives_as_it_was_thrown()
        => Assert.Equal("broken", Assert.Throws<IOException>(
            () => LongOperation.Run(_ => throw new IOException("broken"), () => { }, CancellationToken.None)).Message);

    [Fact]
    public void A_failure_while_streaming_comes_after_what_was_found()
    {
        var found = new List<int>();
        Assert.Throws<IOException>(() => LongOperation.Stream(_ => Find(), found.Add, () => { }, CancellationToken.None));
        Assert.Equal([1, 2], found);

        static IEnumerable<int> Find()
        {
            yield return 1;
            yield return 2;
            throw new IOException("broken");
        }
    }

    [Fact]
    public void Streams_in_order_and_hands_over_here()
    {
        int here = Environment.CurrentManagedThreadId;
        var found = new List<int>();
        LongOperation.Stream(
            _ => Enumerable.Range(0, 10_000),
            item =>
            {
                Assert.Equal(here, Environment.CurrentManagedThreadId);
                found.Add(item);
            },
            () => { },
            CancellationToken.None);
        Assert.Equal(Enumerable.Range(0, 10_000), found);
    }

    [Fact]
    public void What_is_found_slowly_does_not_wait_for_more()
    {
        using var taken = new SemaphoreSlim(0);
        var found = new List<int>();
        LongOperation.Stream(
            _ => Find(),
            item =>
            {
                found.Add(item);
                taken.Release();
            },
            () => { },
            CancellationToken.None);
        Assert.Equal(Enumerable.Range(0, 20), found);

        IEnumerable<int> Find()
        {
            for (int i = 0; i < 20; i++)
            {
                yield return i;
                Assert.True(taken.Wait(TimeSpan.FromSeconds(30)), $"{i} was kept back.");
            }
        }
    }

    [Fact]
    public void Pulses_come_while_nothing_is_found()
    {
        using var pulsed = new SemaphoreSlim(0);
        LongOperation.Stream(_ => Find(), _ => { }, () => pulsed.Release(), CancellationToken.None);

        IEnumerable<int> Find()
        {
            yield return 1;
            Assert.True(pulsed.Wait(TimeSpan.FromSeconds(30)), "no pulse");
        }
    }

    [Fact]
    public void A_stop_ends_the_stream_while_nothing_is_found()
    {
        using var stop = new CancellationTokenSource();
        using var release = new ManualResetEventSlim();
        Assert.ThrowsAny<OperationCanceledException>(() => LongOperation.Stream(_ => Find(), _ => stop.Cancel(), () => { }, stop.Token));
        release.Set();

        IEnumerable<int> Find()
        {
            yield return 1;
            release.Wait(TimeSpan.FromSeconds(30));
        }
    }

    [Fact]
    public void A_consumer_that_has_enough_ends_the_work()
    {
        using var ended = new ManualResetEventSlim();
        Assert.Throws<InvalidOperationException>(() => LongOperation.Stream(
            _ => Forever(), item => throw new InvalidOperationException("enough"), () => { }, CancellationToken.None));
        Assert.True(ended.Wait(Stopping.AtOnce));

        IEnumerable<int> Forever()
        {
            try
            {
                for (int i = 0; ; i++)
                {
                    yield return i;
                }
            }
            finally
            {
                ended.Set();
            }
        }
    }

    [Fact]
    public void Stops_within_a_second_even_when_the_work_does_not_listen()
    {
        using var stop = new CancellationTokenSource(100);
        using var release = new ManualResetEventSlim();
        var time = Stopwatch.StartNew();
        Assert.ThrowsAny<OperationCanceledException>(() => LongOperation.Run(_ => release.Wait(CancellationToken.None), () => { }, stop.Token));
        Assert.InRange(time.Elapsed, TimeSpan.Zero, Stopping.AtOnce);
        release.Set();
    }

    [Fact]
    public void Waits_for_the_work_to_clean_up()
    {
        bool cleaned = false;
        using var stop = new CancellationTokenSource(50);
        Assert.ThrowsAny<OperationCanceledException>(() => LongOperation.Run(
            token =>
            {
                token.WaitHandle.WaitOne();
                Thread.Sleep(500);
                cleaned = true;
            },
            () => { },
            stop.Token));
        Assert.True(cleaned);
    }
}

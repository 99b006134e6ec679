using System.Diagnostics;

namespace Qcow2.PowerShell.Operations;

/// <summary>
/// Runs work on a thread of its own while the pipeline's thread waits for it, shows how far it is and can be stopped.
/// PowerShell's streams may only be written from the pipeline's thread, which is the one that calls these methods.
/// </summary>
internal static class LongOperation
{
    /// <summary>How often the pipeline's thread looks up from waiting.</summary>
    private static readonly TimeSpan Pulse = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a stopped pipeline waits for the work to clean up. Work that is stuck in the host goes on alone and cleans up later.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(0.8);

    /// <summary>Runs work to its end.</summary>
    /// <param name="work">The work; it must end soon after its token is cancelled.</param>
    /// <param name="onPulse">Called on this thread several times a second.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    /// <exception cref="OperationCanceledException">The pipeline was stopped.</exception>
    internal static void Run(Action<CancellationToken> work, Action onPulse, CancellationToken stop)
    {
        var cancellation = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task task = Start(() => work(cancellation.Token));
        try
        {
            while (!IsDone(task, Pulse))
            {
                stop.ThrowIfCancellationRequested();
                onPulse();
            }

            task.GetAwaiter().GetResult();
        }
        finally
        {
            End(task, cancellation);
        }
    }

    /// <summary>Runs work that finds things, and hands each over on this thread as soon as it is found.</summary>
    /// <param name="work">Finds the things; it owns what it opens.</param>
    /// <param name="onItem">Called on this thread with each of them.</param>
    /// <param name="onPulse">Called on this thread several times a second while there are none.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    /// <exception cref="OperationCanceledException">The pipeline was stopped.</exception>
    internal static void Stream<T>(Func<CancellationToken, IEnumerable<T>> work, Action<T> onItem, Action onPulse, CancellationToken stop)
    {
        var cancellation = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var handOver = new HandOver<T>();
        Task task = Start(() => Fill(handOver, work(cancellation.Token), cancellation.Token));
        try
        {
            var items = new List<T>();
            var sincePulse = Stopwatch.StartNew();
            while (handOver.TryTake(ref items))
            {
                foreach (T item in items)
                {
                    stop.ThrowIfCancellationRequested();
                    onItem(item);
                }

                stop.ThrowIfCancellationRequested();
                if (items.Count > 0)
                {
                    items.Clear();
                    sincePulse.Restart();
                }
                else if (sincePulse.Elapsed >= Pulse)
                {
                    onPulse();
                    sincePulse.Restart();
                }
            }

            task.GetAwaiter().GetResult();
        }
        finally
        {
            End(task, cancellation);
        }
    }

    private static Task Start(Action work)
        => Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static void Fill<T>(HandOver<T> handOver, IEnumerable<T> items, CancellationToken cancellationToken)
    {
        try
        {
            foreach (T item in items)
            {
                handOver.Add(item, cancellationToken);
            }
        }
        finally
        {
            handOver.Complete();
        }
    }

    private static void End(Task task, CancellationTokenSource cancellation)
    {
        cancellation.Cancel();
        if (IsDone(task, Grace))
        {
            cancellation.Dispose();
        }
    }

    /// <summary>Waits without throwing what the task throws.</summary>
    private static bool IsDone(Task task, TimeSpan timeout) => Task.WaitAny([task], timeout) == 0;
}

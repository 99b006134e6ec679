using System.Runtime.ExceptionServices;

namespace Qcow2.Engine.Work;

/// <summary>Runs the same work on several threads and reports the first failure as if there had been one thread.</summary>
internal static class ParallelWorkers
{
    /// <summary>Runs the work, on the calling thread too, and returns when all are done.</summary>
    /// <param name="count">Threads, the calling one included.</param>
    /// <param name="work">The work, which each thread does once.</param>
    /// <param name="stop">Asks the other workers to end, after one has failed.</param>
    internal static void Run(int count, Action work, Action stop)
    {
        ExceptionDispatchInfo? failure = null;
        var threads = new Thread[Math.Max(0, count - 1)];
        for (int i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(Guarded) { IsBackground = true, Name = $"Qcow2 worker {i + 1}" };
            threads[i].Start();
        }

        Guarded();
        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        failure?.Throw();

        void Guarded()
        {
            try
            {
                work();
            }
#pragma warning disable CA1031 // Rethrown on the calling thread, whatever it is.
            catch (Exception e)
#pragma warning restore CA1031
            {
                Interlocked.CompareExchange(ref failure, ExceptionDispatchInfo.Capture(e), null);
                stop();
            }
        }
    }
}

using System.Runtime.ExceptionServices;

namespace Qcow2.Engine.Work;

/// <summary>Runs the same work on several threads and reports the first failure as if there had been one thread.</summary>
internal static class ParallelWorkers
{
    /// <summary>Runs the work, on the calling thread too, and returns when all are done.</summary>
    /// <param name="count">Threads, the calling one included.</param>
    /// <param name="work">The work, which each thread does once.</param>
    /// <param name="stop">Asks the other workers to end, after one has failed.</param>
    /// <param name="start">How a thread is started.</param>
    internal static void Run(int count, Action work, Action stop, Action<Thread>? start = null)
    {
        ExceptionDispatchInfo? failure = null;
        var threads = new List<Thread>();
        try
        {
            while (threads.Count < count - 1)
            {
                var thread = new Thread(Guarded) { IsBackground = true, Name = $"Qcow2 worker {threads.Count + 1}" };
                (start ?? (one => one.Start()))(thread);
                threads.Add(thread);
            }
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            // The host gives this process no more threads. Those that there are do all the work.
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
                StopQuietly();
            }
        }

        void StopQuietly()
        {
            try
            {
                stop();
            }
#pragma warning disable CA1031 // An exception that left a thread would end the process; there is one to report already.
            catch (Exception)
#pragma warning restore CA1031
            {
            }
        }
    }
}

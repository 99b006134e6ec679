using Qcow2.Engine.Work;

namespace Qcow2.Engine.Tests.Work;

public sealed class ParallelWorkersTests
{
    [Fact]
    public void Threads_that_the_host_does_not_give_are_done_without()
    {
        int begun = 0;
        int started = 0;
        ParallelWorkers.Run(5, () => Interlocked.Increment(ref begun), () => { }, thread =>
        {
            if (++started == 3)
            {
#pragma warning disable CA2201 // It is what the runtime throws.
                throw new OutOfMemoryException("no more threads");
#pragma warning restore CA2201
            }

            thread.Start();
        });
        Assert.Equal(3, begun); // Two that were started, and the caller's.
    }

    [Fact]
    public void Stopping_that_fails_hides_no_failure_and_ends_no_process()
    {
        var error = Assert.Throws<IOException>(() => ParallelWorkers.Run(
            4, () => throw new IOException("the work"), () => throw new ObjectDisposedException("the stopping")));
        Assert.Equal("the work", error.Message);
    }
}

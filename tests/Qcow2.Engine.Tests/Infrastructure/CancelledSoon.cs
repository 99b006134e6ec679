namespace Qcow2.Engine.Tests;

/// <summary>A token that is cancelled 50 ms from now, by a thread of its own: the timer of a token source waits for the thread pool, which other tests keep busy.</summary>
internal sealed class CancelledSoon : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly Thread _thread;

    internal CancelledSoon()
    {
        _thread = new Thread(() =>
        {
            Thread.Sleep(50);
            _source.Cancel();
        });
        _thread.Start();
    }

    internal CancellationToken Token => _source.Token;

    public void Dispose()
    {
        _thread.Join();
        _source.Dispose();
    }
}

namespace Qcow2.Engine.Work;

/// <summary>Hands out pieces of a disk to several threads, in order, as they are found; and counts what is done.</summary>
/// <param name="pieces">The pieces, without gaps from the start of the disk to its end; found by one thread at a time.</param>
/// <param name="total">Size of the disk, in bytes.</param>
/// <param name="progress">Told of progress; null for nobody.</param>
/// <param name="cancellationToken">Ends the work.</param>
internal sealed class WorkQueue<T>(
    IEnumerable<T> pieces, long total, IProgress<WorkProgress>? progress, CancellationToken cancellationToken) : IDisposable
{
    private readonly object _gate = new();
    private readonly IEnumerator<T> _pieces = pieces.GetEnumerator();
    private long _done;
    private bool _isStopped;

    /// <summary>Takes the next piece; false when there is none, or when another thread failed.</summary>
    /// <exception cref="OperationCanceledException">The caller stopped the work.</exception>
    internal bool TryTake(out T piece)
    {
        lock (_gate)
        {
            cancellationToken.ThrowIfCancellationRequested();
            bool isThere = !_isStopped && _pieces.MoveNext();
            piece = isThere ? _pieces.Current : default!;
            return isThere;
        }
    }

    /// <summary>Counts bytes that are dealt with.</summary>
    internal void Complete(long length)
        => progress?.Report(new WorkProgress(Interlocked.Add(ref _done, length), total));

    /// <summary>Makes every thread end after the piece it has.</summary>
    internal void Stop()
    {
        lock (_gate)
        {
            _isStopped = true;
        }
    }

    public void Dispose() => _pieces.Dispose();
}

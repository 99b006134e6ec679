namespace Qcow2.PowerShell.Operations;

/// <summary>
/// Hands things from one thread to another, in order and many at a time: waking a thread for each of them costs far more than
/// finding it.
/// </summary>
/// <remarks>
/// The receiver takes whatever there is. It is woken by the first thing, by a full batch and by the end; in between it looks by
/// itself every few milliseconds, so that what is found slowly does not wait for company.
/// </remarks>
internal sealed class HandOver<T>
{
    private const int BatchLength = 512;
    private const int MaxWaiting = 4 * BatchLength;

    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(10);

    private readonly object _gate = new();
    private List<T> _waiting = new(MaxWaiting);
    private bool _isBegun;
    private bool _isComplete;

    /// <summary>Adds a thing, and waits while there are too many that nobody took.</summary>
    /// <exception cref="OperationCanceledException">The receiver wants no more.</exception>
    internal void Add(T item, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            while (_waiting.Count == MaxWaiting)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Monitor.Wait(_gate, Glance);
            }

            _waiting.Add(item);
            if (!_isBegun || _waiting.Count == BatchLength)
            {
                _isBegun = true;
                Monitor.Pulse(_gate);
            }
        }
    }

    /// <summary>Says that nothing will be added any more.</summary>
    internal void Complete()
    {
        lock (_gate)
        {
            _isComplete = true;
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Takes what there is, or waits a little for it.</summary>
    /// <param name="taken">An empty list, for which a full one is given.</param>
    /// <returns>False at the end.</returns>
    internal bool TryTake(ref List<T> taken)
    {
        lock (_gate)
        {
            if (_waiting.Count == 0 && !_isComplete)
            {
                Monitor.Wait(_gate, Glance);
            }

            (taken, _waiting) = (_waiting, taken);
            Monitor.Pulse(_gate);
            return taken.Count > 0 || !_isComplete;
        }
    }
}

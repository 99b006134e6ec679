namespace Qcow2.Engine.Http;

/// <summary>
/// Which request goes next: those that somebody waits for before those for later, in the order in which they came, and no more than so many at once. It belongs to the gate of
/// <see cref="HttpPages"/>.
/// </summary>
/// <param name="mostAtOnce">Most requests at once.</param>
internal sealed class HttpQueue(int mostAtOnce)
{
    /// <summary>One place is left free for who comes and cannot wait, behind whatever long requests.</summary>
    private readonly int _mostForLater = Math.Max(1, mostAtOnce - 1);

    private readonly LinkedList<HttpFetch> _urgent = new();
    private readonly LinkedList<HttpFetch> _later = new();
    private int _running;

    /// <summary>The last one that nobody waits for; null for none.</summary>
    internal HttpFetch? LastOfLater => _later.Last?.Value;

    /// <summary>Takes a request in.</summary>
    internal void Add(HttpFetch fetch) => fetch.Turn = (fetch.IsUrgent ? _urgent : _later).AddLast(fetch);

    /// <summary>Lets a request that nobody waited for come before the others of its kind.</summary>
    internal void Hurry(HttpFetch fetch)
    {
        if (!fetch.IsUrgent && fetch.Turn is LinkedListNode<HttpFetch> turn)
        {
            fetch.IsUrgent = true;
            _later.Remove(turn);
            _urgent.AddLast(turn);
        }
    }

    /// <summary>Takes out the one that goes now.</summary>
    /// <returns>Null if all must wait.</returns>
    internal HttpFetch? TryBegin()
    {
        LinkedListNode<HttpFetch>? next = _running >= mostAtOnce ? null : _urgent.First ?? (_running < _mostForLater ? _later.First : null);
        if (next is null)
        {
            return null;
        }

        next.List!.Remove(next);
        next.Value.Turn = null;
        _running++;
        return next.Value;
    }

    /// <summary>One is through, for good or ill.</summary>
    internal void End() => _running--;

    /// <summary>Forgets those that wait.</summary>
    internal void Clear()
    {
        _later.Clear();
        _urgent.Clear();
    }
}

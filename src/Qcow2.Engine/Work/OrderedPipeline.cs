namespace Qcow2.Engine.Work;

/// <summary>
/// Takes parcels of work through three steps: any thread prepares them, they are placed one after the other in the order in which
/// they were filled, and any thread finishes them. So what depends on the order does not depend on the number of threads.
/// </summary>
/// <remarks>
/// A thread never waits for another one's parcel as long as there is a free one: what is ready too early is kept until its turn.
/// Memory is bounded by the number of parcels, which are used again and again.
/// </remarks>
/// <typeparam name="T">A parcel: buffers, and what the steps hand on to each other.</typeparam>
internal abstract class OrderedPipeline<T>
    where T : class
{
    private readonly object _gate = new();
    private readonly Stack<T> _free = [];
    private readonly Dictionary<long, T> _ready = [];
    private readonly Queue<T> _placed = [];
    private readonly HashSet<T> _unfinished = [];
    private long _filled;
    private long _nextToPlace;
    private int _busy;
    private int _finishing;
    private bool _isExhausted;
    private bool _isPlacing;
    private bool _isStopped;

    /// <summary>Does all the work, on the calling thread too.</summary>
    /// <param name="threads">Threads, the calling one included.</param>
    /// <param name="parcels">The parcels to use; more than threads, so that no thread waits for a slow neighbour.</param>
    protected void Run(int threads, IEnumerable<T> parcels)
    {
        foreach (T parcel in parcels)
        {
            _free.Push(parcel);
        }

        try
        {
            ParallelWorkers.Run(threads, Work, Stop);
        }
        finally
        {
            foreach (T parcel in _unfinished)
            {
                AbandonQuietly(parcel);
            }
        }
    }

    /// <summary>Most threads that finish parcels at the same time. Others prepare parcels meanwhile.</summary>
    protected virtual int MaxFinishing => int.MaxValue;

    /// <summary>Gives a parcel its work; calls take turns, and their order is that of the placing.</summary>
    /// <returns>False if there is no more work.</returns>
    protected abstract bool TryFill(T parcel);

    /// <summary>Does what does not depend on the order.</summary>
    protected abstract void Prepare(T parcel);

    /// <summary>Does what depends on the order; calls take turns.</summary>
    protected abstract void Place(T parcel);

    /// <summary>Does the rest.</summary>
    protected abstract void Finish(T parcel);

    /// <summary>Takes back what placing a parcel did, because it will not be finished, or was not to its end.</summary>
    protected abstract void Abandon(T parcel);

    /// <summary>Tells that the work has failed and nothing more is begun; for what waits inside a step.</summary>
    protected virtual void OnStopped()
    {
    }

    /// <summary>What stopped the work is what the caller must hear of, and the other parcels are to be taken back, too.</summary>
    private void AbandonQuietly(T parcel)
    {
        try
        {
            Abandon(parcel);
        }
#pragma warning disable CA1031 // There is a failure already, or nothing would have to be abandoned.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }

    private void Work()
    {
        while (TryNext(out T parcel, out long ticket))
        {
            if (ticket >= 0)
            {
                Prepare(parcel);
                PlaceWhatIsReady(parcel, ticket);
            }
            else
            {
                Finish(parcel);
                Release(parcel);
            }
        }
    }

    /// <summary>Finds something to do: finishing comes first, because it frees parcels.</summary>
    /// <param name="parcel">The parcel.</param>
    /// <param name="ticket">Its place in the order if it is to be prepared; less than 0 if it is to be finished.</param>
    /// <returns>False if all is done, or the work was stopped.</returns>
    private bool TryNext(out T parcel, out long ticket)
    {
        lock (_gate)
        {
            while (!_isStopped)
            {
                if (_placed.Count > 0 && _finishing < MaxFinishing)
                {
                    parcel = _placed.Dequeue();
                    _finishing++;
                    ticket = -1;
                    return true;
                }

                if (!_isExhausted && _free.Count > 0)
                {
                    parcel = _free.Peek();
                    if (TryFill(parcel))
                    {
                        _free.Pop();
                        _busy++;
                        ticket = _filled++;
                        return true;
                    }

                    _isExhausted = true;
                }

                if (_isExhausted && _busy == 0)
                {
                    break;
                }

                Monitor.Wait(_gate);
            }

            Monitor.PulseAll(_gate);
            parcel = default!;
            ticket = 0;
            return false;
        }
    }

    /// <summary>Places a parcel, and those after it that waited for it; or leaves it to whoever is placing now.</summary>
    private void PlaceWhatIsReady(T parcel, long ticket)
    {
        lock (_gate)
        {
            _ready.Add(ticket, parcel);
            if (_isPlacing)
            {
                return;
            }

            _isPlacing = true;
        }

        while (TryTakeNextToPlace(out T next))
        {
            Place(next);
            lock (_gate)
            {
                _placed.Enqueue(next);
                Monitor.PulseAll(_gate);
            }
        }
    }

    private bool TryTakeNextToPlace(out T parcel)
    {
        lock (_gate)
        {
            if (_isStopped || !_ready.TryGetValue(_nextToPlace, out T? next))
            {
                _isPlacing = false;
                parcel = default!;
                return false;
            }

            _ready.Remove(_nextToPlace++);
            _unfinished.Add(next);
            parcel = next;
            return true;
        }
    }

    private void Release(T parcel)
    {
        lock (_gate)
        {
            _unfinished.Remove(parcel);
            _finishing--;
            _free.Push(parcel);
            _busy--;
            Monitor.PulseAll(_gate);
        }
    }

    private void Stop()
    {
        lock (_gate)
        {
            _isStopped = true;
            Monitor.PulseAll(_gate);
        }

        OnStopped();
    }
}

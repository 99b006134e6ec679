namespace Qcow2.Engine.Http;

/// <summary>
/// What of a file is here: pages, in bounded memory. Whoever needs one that is not here has it asked for, before all that is asked for ahead, and waits; who needs the same waits for the same
/// request. Safe from many threads.
/// </summary>
internal sealed class HttpPages : IDisposable
{
    /// <summary>Bytes of a page: little enough for a look at a table, and below what the runtime treats as large.</summary>
    internal const int PageSize = 64 * 1024;

    /// <summary>Most pages of a request. More would not be faster, and what waits behind it would wait for longer.</summary>
    private const int PagesOfFetch = 32;

    /// <summary>Pages that are asked for at once for one read; the rest of a longer one follows.</summary>
    private const int PagesOfRead = 64;

    private readonly object _gate = new();
    private readonly HttpRanges _ranges;
    private readonly HttpFileOptions _options;
    private readonly string _name;
    private readonly long _length;
    private readonly CancellationTokenSource _stop;
    private readonly CancellationToken _stopped;
    private readonly CancellationTokenRegistration _wake;
    private readonly HttpReadAhead _ahead;
    private readonly Dictionary<long, HttpPage> _pages = [];
    private readonly LinkedList<HttpPage> _uses = new();
    private readonly HttpQueue _queue;
    private readonly int _mostPages;
    private int _buffers;
    private long _received;
    private Exception? _failure;
    private bool _isDisposed;

    /// <param name="ranges">Asks for parts of the file.</param>
    /// <param name="options">How.</param>
    /// <param name="name">How the file is called in messages.</param>
    /// <param name="cancellationToken">Ends all waiting.</param>
    internal HttpPages(HttpRanges ranges, HttpFileOptions options, string name, CancellationToken cancellationToken)
    {
        _ranges = ranges;
        _options = options;
        _name = name;
        _length = ranges.Entity.Length;
        _queue = new HttpQueue(options.MaxRequests);
        _mostPages = (int)Math.Min(int.MaxValue, Math.Max(4L << 20, options.CacheSize) / PageSize);
        _ahead = new HttpReadAhead((long)_mostPages / (HttpReadAhead.MaxRuns + 1) * PageSize);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _stopped = _stop.Token;
        _wake = _stopped.Register(WakeAll);
    }

    /// <summary>Bytes of the file that came.</summary>
    internal long BytesReceived => Interlocked.Read(ref _received);

    /// <summary>Most memory that was taken for pages, in bytes.</summary>
    internal long MostMemory { get; private set; }

    /// <summary>Throws what ended all reading, if anything did.</summary>
    internal void ThrowIfFailed()
    {
        lock (_gate)
        {
            RequireUsable();
        }
    }

    /// <summary>Takes in what the first answer brings, before anybody else reads.</summary>
    /// <param name="answer">The answer; a cut in it is mended as any other is.</param>
    internal async Task FillFirstAsync(HttpAnswer answer)
    {
        var fetch = new HttpFetch(0, Math.Min(PageSize, _length));
        lock (_gate)
        {
            Add(0, fetch);
        }

        try
        {
            await ReceiveAsync(answer, fetch).ConfigureAwait(false);
        }
        catch (TransientHttpException)
        {
            await FetchAsync(fetch).ConfigureAwait(false);
        }
    }

    /// <summary>Fills a buffer from inside the file.</summary>
    internal void Read(long offset, Span<byte> buffer)
    {
        long end = offset + buffer.Length;
        lock (_gate)
        {
            RequireUsable();
            Demand(offset / PageSize, (end - 1) / PageSize);
            (long from, long until) = _ahead.Note(offset, end);
            AskAhead(from, until);
        }

        while (!buffer.IsEmpty)
        {
            HttpPage page = Take(offset / PageSize, (end - 1) / PageSize);
            int inPage = (int)(offset % PageSize);
            int count = Math.Min(buffer.Length, page.Length - inPage);
            page.Bytes.AsSpan(inPage, count).CopyTo(buffer);
            Release(page);
            buffer = buffer.Slice(count);
            offset += count;
        }
    }

    /// <summary>Asks for what somebody will read soon.</summary>
    internal void WillRead(long offset, long end)
    {
        lock (_gate)
        {
            if (_failure is null && !_isDisposed)
            {
                AskAhead(offset, end);
            }
        }
    }

    /// <summary>Ends all requests. Who still waits gets an exception.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
        }

        _stop.Cancel();
        _wake.Dispose();
        WakeAll();
    }

    private void WakeAll()
    {
        lock (_gate)
        {
            Monitor.PulseAll(_gate);
        }
    }

    private void RequireUsable()
    {
        if (End() is Exception end)
        {
            throw end;
        }
    }

    /// <summary>Why nothing is read any more, for one thread; null if it is.</summary>
    private Exception? End() => _isDisposed ? new ObjectDisposedException(_name)
        : _stopped.IsCancellationRequested ? new OperationCanceledException(_stopped)
        : _failure switch
        {
            null => null,
            Qcow2Exception known => new Qcow2Exception(known.Code, known.Reason, known).At(_name),
            _ => new IOException($"{_name}: {_failure.Message}", _failure),
        };

    /// <summary>Waits for a page, which stays here until it is released.</summary>
    private HttpPage Take(long index, long last)
    {
        lock (_gate)
        {
            while (true)
            {
                RequireUsable();
                if (!_pages.TryGetValue(index, out HttpPage? page))
                {
                    Demand(index, last); // It was too much at once, or it was here and had to go.
                    continue;
                }

                if (page.IsComplete)
                {
                    page.Readers++;
                    _uses.Remove(page.Use!);
                    _uses.AddLast(page.Use!);
                    return page;
                }

                _queue.Hurry(page.Fetch!);
                Monitor.Wait(_gate);
            }
        }
    }

    private void Release(HttpPage page)
    {
        lock (_gate)
        {
            page.Readers--;
        }
    }

    private void Demand(long first, long last)
    {
        last = Math.Min(last, first + PagesOfRead - 1);
        for (long index = first; index <= last; index++)
        {
            if (_pages.TryGetValue(index, out HttpPage? known) && known.Fetch is HttpFetch waiting)
            {
                _queue.Hurry(waiting);
            }
        }

        Ask(first, last, isUrgent: true);
    }

    private void AskAhead(long offset, long end)
    {
        end = Math.Min(end, _length);
        if (offset < end)
        {
            Ask(offset / PageSize, (end - 1) / PageSize, isUrgent: false);
        }
    }

    /// <summary>Has those pages asked for that are neither here nor on their way.</summary>
    private void Ask(long first, long last, bool isUrgent)
    {
        for (long index = first; index <= last; index++)
        {
            if (_pages.ContainsKey(index))
            {
                continue;
            }

            if (!isUrgent && _queue.LastOfLater is HttpFetch before && before.End == index * PageSize && before.End - before.Position < PagesOfFetch * PageSize)
            {
                Add(index, before);
                before.End = Math.Min(before.End + PageSize, _length); // What follows each other becomes one request, as long as it has to wait.
                continue;
            }

            long end = index + 1;
            while (end <= last && end - index < PagesOfFetch && !_pages.ContainsKey(end))
            {
                end++;
            }

            var fetch = new HttpFetch(index * PageSize, Math.Min(end * PageSize, _length)) { IsUrgent = isUrgent };
            for (; index < end; index++)
            {
                Add(index, fetch);
            }

            index--;
            _queue.Add(fetch);
        }

        StartWaiting();
    }

    private void Add(long index, HttpFetch fetch)
        => _pages.Add(index, new HttpPage(index, (int)Math.Min(PageSize, _length - (index * PageSize))) { Fetch = fetch });

    private void StartWaiting()
    {
        while (_queue.TryBegin() is HttpFetch fetch)
        {
            _ = Task.Run(() => RunAsync(fetch));
        }
    }

    private async Task RunAsync(HttpFetch fetch)
    {
        Exception? failure = null;
        try
        {
            await FetchAsync(fetch).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // Whoever waits for the pages gets it.
        catch (Exception e)
#pragma warning restore CA1031
        {
            failure = e;
        }

        lock (_gate)
        {
            _queue.End();
            if (failure is not null)
            {
                // The rest of the file would meet the same, after as much waiting: whoever reads on is told at once.
                _failure ??= failure;
                _queue.Clear();
            }

            StartWaiting();
            Monitor.PulseAll(_gate);
        }
    }

    private async Task FetchAsync(HttpFetch fetch)
    {
        var retry = new HttpRetry(_options);
        while (fetch.Position < fetch.End)
        {
            long before = fetch.Position;
            try
            {
                using HttpAnswer answer = await _ranges.GetAsync(fetch.Position, fetch.End - 1, _stopped).ConfigureAwait(false);
                await ReceiveAsync(answer, fetch).ConfigureAwait(false);
            }
            catch (TransientHttpException e)
            {
                if (fetch.Position - before >= PageSize)
                {
                    retry.Reset();
                }

                await retry.PauseAsync(e, _stopped).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Takes in an answer, page by page, so that who waits for the first does not wait for the last.</summary>
    private async Task ReceiveAsync(HttpAnswer answer, HttpFetch fetch)
    {
        while (fetch.Position < fetch.End)
        {
            int inPage = (int)(fetch.Position % PageSize);
            (HttpPage page, byte[] bytes) = PageToFill(fetch.Position / PageSize);
            int read = await answer.ReadAsync(bytes, inPage, page.Length - inPage).ConfigureAwait(false);
            if (read == 0)
            {
                throw new TransientHttpException($"The server ended an answer {fetch.End - fetch.Position} bytes too early");
            }

            fetch.Position += read;
            Interlocked.Add(ref _received, read);
            if (inPage + read == page.Length)
            {
                Complete(page);
            }
        }
    }

    private (HttpPage Page, byte[] Bytes) PageToFill(long index)
    {
        lock (_gate)
        {
            HttpPage page = _pages[index];
            return (page, page.Bytes ??= Rent());
        }
    }

    private void Complete(HttpPage page)
    {
        lock (_gate)
        {
            page.IsComplete = true;
            page.Fetch = null;
            page.Use = _uses.AddLast(page);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Memory for a page: that of the one that was used longest ago, if there are as many as may be. Those that are being filled are a few, and never wait for room.</summary>
    private byte[] Rent()
    {
        if (_buffers >= _mostPages)
        {
            for (LinkedListNode<HttpPage>? node = _uses.First; node is not null; node = node.Next)
            {
                if (node.Value.Readers == 0)
                {
                    _uses.Remove(node);
                    _pages.Remove(node.Value.Index);
                    return node.Value.Bytes!;
                }
            }
        }

        _buffers++;
        MostMemory = Math.Max(MostMemory, (long)_buffers * PageSize);
        return new byte[PageSize];
    }
}

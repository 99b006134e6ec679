namespace Qcow2.Engine.Storage;

/// <summary>
/// Flushes a file of the host, and never claims success after a failure. A host that could not write drops what it had from its
/// memory, reports that once, and lets the next flush succeed though the data is lost.
/// </summary>
internal sealed class PageCacheFlush(string path)
{
    private readonly object _gate = new();
    private Exception? _failure;

    // At first, too: whoever had the file before may have left something behind.
    private volatile bool _mayHaveUnflushed = true;

    /// <summary>Tells that something was written, or may have been in part. To be called after it, so that no flush can come between.</summary>
    internal void NoteWrite()
    {
        Interlocked.MemoryBarrier(); // What was written is written before this looks.

        // Reading first keeps the cache line shared between the processors of many writers.
        if (!_mayHaveUnflushed)
        {
            _mayHaveUnflushed = true;
        }
    }

    /// <summary>Flushes if something was written since the last time, unless a flush has failed before.</summary>
    /// <param name="flush">The host's flush; any failure of it is final.</param>
    /// <exception cref="IOException">It failed, now or before.</exception>
    internal void Run(Action flush)
    {
        // One at a time: the host tells one caller of a failure, and the others must learn of it.
        lock (_gate)
        {
            if (_failure is null)
            {
                if (!_mayHaveUnflushed)
                {
                    return;
                }

                try
                {
                    _mayHaveUnflushed = false; // Before: what is written meanwhile is for the next flush.
                    flush();
                    return;
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    _failure = e;
                }
            }

            throw new IOException(
                $"{path}: the host could not bring what was written to its disk ({_failure.Message.TrimEnd('.')}). What was written since the last flush that "
                + "succeeded may be lost, although it can still be read. Close the file, open it again, check it, and write that again.",
                _failure);
        }
    }
}

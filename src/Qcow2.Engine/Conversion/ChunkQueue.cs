namespace Qcow2.Engine.Conversion;

/// <summary>A piece of the disk that holds data, for one thread to copy.</summary>
internal readonly record struct Chunk(long Offset, int Length);

/// <summary>Hands out the parts of a disk that hold data, in order, to several threads; and counts what is done.</summary>
internal sealed class ChunkQueue : IDisposable
{
    /// <summary>
    /// The largest cluster: then no compressed cluster is shared between two pieces, and decompressed twice. Large enough,
    /// too, that system calls cost nothing beside the copying.
    /// </summary>
    internal const int MaxChunkLength = 1 << Format.Qcow2Limits.MaxClusterBits;

    private readonly object _gate = new();
    private readonly IEnumerator<DiskExtent> _extents;
    private readonly IProgress<WorkProgress>? _progress;
    private readonly CancellationToken _cancellationToken;
    private readonly long _total;
    private DiskExtent _current;
    private long _done;
    private volatile bool _stopped;

    internal ChunkQueue(VirtualDisk source, IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        _extents = source.GetExtents(0, source.Length, cancellationToken).GetEnumerator();
        _progress = progress;
        _cancellationToken = cancellationToken;
        _total = source.Length;
    }

    /// <summary>Takes the next piece; false when there is none, or when another thread failed.</summary>
    /// <exception cref="OperationCanceledException">The caller stopped the work.</exception>
    internal bool TryTake(out Chunk chunk)
    {
        lock (_gate)
        {
            while (_current.Length == 0)
            {
                _cancellationToken.ThrowIfCancellationRequested();
                if (_stopped || !_extents.MoveNext())
                {
                    chunk = default;
                    return false;
                }

                _current = _extents.Current;
                if (_current.Kind != ExtentKind.Data)
                {
                    Complete(_current.Length);
                    _current = default;
                }
            }

            _cancellationToken.ThrowIfCancellationRequested();
            if (_stopped)
            {
                chunk = default;
                return false;
            }

            // Chunks end at multiples of their size, so that no cluster is shared between two of them.
            long boundary = (_current.Offset | (MaxChunkLength - 1)) + 1;
            int length = (int)Math.Min(_current.Length, boundary - _current.Offset);
            chunk = new Chunk(_current.Offset, length);
            _current = _current with { Offset = _current.Offset + length, Length = _current.Length - length };
            return true;
        }
    }

    internal void Complete(long length)
    {
        long done = Interlocked.Add(ref _done, length);
        _progress?.Report(new WorkProgress(done, _total));
    }

    /// <summary>Makes every thread end after the piece it has.</summary>
    internal void Stop() => _stopped = true;

    public void Dispose() => _extents.Dispose();
}

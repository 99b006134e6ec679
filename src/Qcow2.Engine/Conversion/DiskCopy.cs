using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Work;

namespace Qcow2.Engine.Conversion;

/// <summary>Copies a disk: its parcels are read by any thread, placed in order, and written by any thread.</summary>
internal sealed class DiskCopy : OrderedPipeline<CopyParcel>
{
    /// <summary>Zeros take no time, and there can be many of them.</summary>
    private const int MostAnnounced = 4096;

    private readonly SourceReader _reader;
    private readonly CopyTarget _target;
    private readonly RateLimiter _limiter;
    private readonly IEnumerator<CopyPiece> _pieces;
    private readonly SharedExtents? _sharing;
    private readonly IProgress<WorkProgress>? _progress;
    private readonly CancellationToken _cancellationToken;
    private readonly CancellationTokenSource _stop;
    private readonly CancellationToken _stopped;
    private long _done;

    private DiskCopy(
        SourceReader reader,
        CopyTarget target,
        ConversionOptions options,
        Func<SharedExtents?, IEnumerable<CopyPiece>>? pieces,
        IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken)
    {
        _reader = reader;
        _target = target;
        _limiter = new RateLimiter(options.RateLimit);
        _progress = progress;
        _cancellationToken = cancellationToken;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _stopped = _stop.Token;
        _sharing = options.SharesExtents ? new SharedExtents(reader.Disk, target, target.SharesUnread ? target.Unit : 1) : null;
        target.Sharing = _sharing;
        SharedExtents? unread = target.SharesUnread ? _sharing : null;
        IEnumerable<CopyPiece> parts = pieces?.Invoke(unread)
            ?? CopyPiece.Of(Extents(options), target.Reach(reader.Disk.Length), target.Unit, target.MaxParcelBytes, unread, target.MaxSharedBytes);
        _pieces = (options.ReadAheadSize > 0 ? Announced(parts, options.ReadAheadSize) : parts).GetEnumerator();
    }

    /// <summary>Copies all of a disk.</summary>
    /// <param name="source">The disk.</param>
    /// <param name="target">Where to.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for nobody.</param>
    /// <param name="cancellationToken">Stops the work within a fraction of a second.</param>
    /// <param name="pieces">
    /// Divides the disk, with what finds what can be shared, if anything may: pieces of whole units of the destination, in order, that cover all of the disk.
    /// Null for what the destination has not.
    /// </param>
    internal static ConversionResult Run(
        VirtualDisk source,
        CopyTarget target,
        ConversionOptions options,
        IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken,
        Func<SharedExtents?, IEnumerable<CopyPiece>>? pieces = null)
    {
        var reader = new SourceReader(source, options.Salvage);
        var copy = new DiskCopy(reader, target, options, pieces, progress, cancellationToken);
        int threads = options.ThrottleLimit;

        // Parcels beyond one for each thread are those that were ready before their turn.
        CopyParcel[] parcels = [.. Enumerable.Range(0, (2 * threads) + 1).Select(_ => target.NewParcel())];
        try
        {
            copy.Run(threads, parcels);
        }
        finally
        {
            copy._pieces.Dispose();
            copy._stop.Dispose();
            foreach (CopyParcel parcel in parcels)
            {
                parcel.Dispose();
            }
        }

        reader.EnsureSomethingWasRead();
        return new ConversionResult(reader.Unreadable) { SharedBytes = copy._sharing?.Bytes ?? 0, SharingRefusal = copy._sharing?.Refusal };
    }

    /// <inheritdoc/>
    protected override int MaxFinishing => _target.MaxWriters;

    /// <inheritdoc/>
    protected override bool TryFill(CopyParcel parcel)
    {
        while (true)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            if (!_pieces.MoveNext())
            {
                return false;
            }

            parcel.Piece = _pieces.Current;
            if (!parcel.Piece.IsKept && (parcel.Piece.IsData || _target.WritesZeros))
            {
                return true;
            }

            Complete(parcel.Piece);
        }
    }

    /// <inheritdoc/>
    protected override void Prepare(CopyParcel parcel)
    {
        if (parcel.Piece is { IsData: true, Shared: null })
        {
            Span<byte> data = parcel.Data;
            int inside = (int)Math.Max(0, Math.Min(data.Length, _reader.Disk.Length - parcel.Piece.Offset));
            Read(parcel.Piece.Offset, data.Slice(0, inside));
            if (inside < data.Length)
            {
                _target.FillTail(parcel.Piece.Offset + inside, data.Slice(inside));
            }
        }

        _target.Prepare(parcel);
    }

    /// <inheritdoc/>
    protected override void Place(CopyParcel parcel)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        _target.Place(parcel);
    }

    /// <inheritdoc/>
    protected override void Finish(CopyParcel parcel)
    {
        if (parcel.Piece.Shared is null)
        {
            _target.Finish(parcel);
        }
        else
        {
            _cancellationToken.ThrowIfCancellationRequested();
            _target.FinishShared(parcel, _sharing!, Read);
        }

        Complete(parcel.Piece);
    }

    /// <inheritdoc/>
    protected override void Abandon(CopyParcel parcel) => _target.Abandon(parcel);

    /// <inheritdoc/>
    protected override void OnStopped() => _stop.Cancel();

    /// <summary>The same pieces, each of which the source is told of before its turn.</summary>
    private IEnumerable<CopyPiece> Announced(IEnumerable<CopyPiece> pieces, long most)
    {
        var waiting = new Queue<CopyPiece>();
        long bytes = 0;
        foreach (CopyPiece piece in pieces)
        {
            if (IsRead(piece))
            {
                _reader.WillRead(piece.Offset, piece.Length);
                bytes += piece.Length;
            }

            waiting.Enqueue(piece);
            while (bytes > most || waiting.Count > MostAnnounced)
            {
                bytes -= IsRead(waiting.Peek()) ? waiting.Peek().Length : 0;
                yield return waiting.Dequeue();
            }
        }

        foreach (CopyPiece piece in waiting)
        {
            yield return piece;
        }
    }

    private static bool IsRead(CopyPiece piece) => piece is { IsData: true, IsKept: false, Shared: null };

    private void Read(long offset, Span<byte> buffer)
    {
        _limiter.Wait(buffer.Length, _stopped);
        _reader.Read(offset, buffer, _stopped);
    }

    private IEnumerable<DiskExtent> Extents(ConversionOptions options)
    {
        VirtualDisk disk = _reader.Disk;
        if (options.OnlyWithin is not null)
        {
            return _target.ComparesAll
                ? PartialExtents.Within(_target.Select(_reader.Extents(_cancellationToken)), options.OnlyWithin)
                : PartialExtents.AllOf(disk, options.OnlyWithin);
        }

        if (options.SparseSize == 0)
        {
            return [Data(disk, 0, _target.Reach(disk.Length))];
        }

        IEnumerable<DiskExtent> extents = _target.Select(_reader.Extents(_cancellationToken));
        long reach = _target.Reach(disk.Length);
        return reach > disk.Length ? extents.Append(Data(disk, disk.Length, reach)) : extents;
    }

    private static DiskExtent Data(VirtualDisk disk, long start, long end)
        => new(start, end - start, ExtentKind.Data, 0, disk.Path, null, IsCompressed: false);

    private void Complete(CopyPiece piece)
    {
        // A unit that is written whole may reach past the end of what is copied.
        long length = Math.Min(piece.Length, _reader.Disk.Length - piece.Offset);
        _progress?.Report(new WorkProgress(Interlocked.Add(ref _done, length), _reader.Disk.Length));
    }
}

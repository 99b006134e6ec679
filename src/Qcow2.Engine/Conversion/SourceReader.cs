namespace Qcow2.Engine.Conversion;

/// <summary>Reads the disk that is copied; where that is asked for, also around what cannot be read. Safe from many threads.</summary>
/// <param name="source">The disk.</param>
/// <param name="salvage">Whether what cannot be read is zeros.</param>
internal sealed class SourceReader(VirtualDisk source, bool salvage)
{
    private const int SectorSize = 512;

    private readonly List<DiskRange> _unreadable = [];
    private Exception? _firstError;

    internal VirtualDisk Disk => source;

    /// <summary>Refuses a copy in which nothing is what the disk held: zeros alone must not pass for a disk that was saved.</summary>
    /// <exception cref="Qcow2Exception">Not a byte of the disk could be read.</exception>
    internal void EnsureSomethingWasRead()
    {
        if (source.Length > 0 && Unreadable is [{ Offset: 0 } all] && all.Length == source.Length)
        {
            throw Qcow2Errors.Corrupt($"Nothing of the disk could be saved: {(_firstError as Qcow2Exception)?.Reason ?? _firstError!.Message}").At(source.Path);
        }
    }

    /// <summary>What could not be read, in order and joined.</summary>
    internal IReadOnlyList<DiskRange> Unreadable
    {
        get
        {
            lock (_unreadable)
            {
                return Join(_unreadable.OrderBy(range => range.Offset));
            }
        }
    }

    /// <summary>What lies where. What no table can tell of is data where it can be read, and zeros that are listed where not.</summary>
    internal IEnumerable<DiskExtent> Extents(CancellationToken cancellationToken)
        => salvage ? SalvageExtents(cancellationToken) : source.GetExtents(0, source.Length, cancellationToken);

    /// <summary>Fills a buffer from inside the disk.</summary>
    internal void Read(long offset, Span<byte> buffer, CancellationToken cancellationToken)
    {
        if (!salvage)
        {
            source.ReadCore(offset, buffer);
        }
        else
        {
            Salvage(offset, buffer, cancellationToken);
        }
    }

    /// <summary>Says that something will be read soon. What is wrong there says the reading itself.</summary>
    internal void WillRead(long offset, long length)
    {
        try
        {
            source.WillRead(offset, Math.Min(length, source.Length - offset));
        }
        catch (Exception e) when (IsOfSource(e))
        {
        }
    }

    /// <summary>A server that is gone, or has another file by now, is no damage that zeros could stand for.</summary>
    private static bool IsOfSource(Exception e) => e is Qcow2Exception { Code: not (Qcow2ErrorCode.HttpRequestFailed or Qcow2ErrorCode.SourceChanged or Qcow2ErrorCode.RangesNotSupported) }
        || (e is IOException and not Qcow2Exception);

    /// <summary>Halves what cannot be read until it can only be read together: what lies beside it is saved.</summary>
    private void Salvage(long offset, Span<byte> buffer, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            source.ReadCore(offset, buffer);
        }
        catch (Exception e) when (IsOfSource(e))
        {
            long end = offset + buffer.Length;
            long middle = Math.Max(source.DamageEnd(offset), (offset + (buffer.Length / 2)) & ~(SectorSize - 1L));
            if (middle < end)
            {
                int half = (int)(middle - offset);
                Salvage(offset, buffer.Slice(0, half), cancellationToken);
                Salvage(middle, buffer.Slice(half), cancellationToken);
                return;
            }

            buffer.Clear();
            GiveUp(e, new DiskRange(offset, buffer.Length));
        }
    }

    private IEnumerable<DiskExtent> SalvageExtents(CancellationToken cancellationToken)
    {
        long position = 0;
        while (position < source.Length)
        {
            using IEnumerator<DiskExtent> extents = source.EnumerateExtents(position, source.Length - position, 0).GetEnumerator();
            while (TryMoveNext(extents))
            {
                cancellationToken.ThrowIfCancellationRequested();
                position = extents.Current.End;
                yield return extents.Current;
            }

            if (position < source.Length)
            {
                long end = Math.Min(source.Length, source.DamageEnd(position));
                yield return new DiskExtent(position, end - position, IsLost(position, end) ? ExtentKind.Zero : ExtentKind.Data, 0, source.Path, null, IsCompressed: false);
                position = end;
            }
        }
    }

    /// <summary>Whether what led to a range is damaged or gone. It is given up at once: a table that is gone can have covered terabytes.</summary>
    private bool IsLost(long start, long end)
    {
        Span<byte> sector = stackalloc byte[SectorSize];
        try
        {
            source.ReadCore(start, sector.Slice(0, (int)Math.Min(SectorSize, end - start)));
            return false;
        }
        catch (Qcow2Exception e) when (IsOfSource(e))
        {
            GiveUp(e, new DiskRange(start, end - start));
            return true;
        }
        catch (IOException e) when (IsOfSource(e))
        {
            return false; // The host could not read it now: each cluster is tried for itself, and may come back.
        }
    }

    private void GiveUp(Exception reason, DiskRange range)
    {
        Interlocked.CompareExchange(ref _firstError, reason, null);
        lock (_unreadable)
        {
            Add(_unreadable, range);
        }
    }

    private static bool TryMoveNext(IEnumerator<DiskExtent> extents)
    {
        try
        {
            return extents.MoveNext();
        }
        catch (Exception e) when (IsOfSource(e))
        {
            return false;
        }
    }

    private static List<DiskRange> Join(IEnumerable<DiskRange> ranges)
    {
        var joined = new List<DiskRange>();
        foreach (DiskRange range in ranges)
        {
            Add(joined, range);
        }

        return joined;
    }

    /// <summary>A thread reads from the front to the back, so that most of it joins at once, and little memory is needed.</summary>
    private static void Add(List<DiskRange> ranges, DiskRange range)
    {
        int last = ranges.Count - 1;
        if (last >= 0 && range.Offset >= ranges[last].Offset && range.Offset <= ranges[last].End)
        {
            ranges[last] = ranges[last] with { Length = Math.Max(ranges[last].End, range.End) - ranges[last].Offset }; // What was given up can be read again beside what follows.
        }
        else
        {
            ranges.Add(range);
        }
    }
}

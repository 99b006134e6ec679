namespace Qcow2.Engine.Http;

/// <summary>
/// Finds out where a file is read in order, by any number of threads that are a little before or behind each other, and what will be wanted there next. The more was read in one run, the
/// more is asked for ahead of it; a run with more gaps than data gets nothing.
/// </summary>
/// <param name="most">Most bytes ahead of a run.</param>
internal sealed class HttpReadAhead(long most)
{
    /// <summary>As many runs are followed: tables and data are read by turns.</summary>
    internal const int MaxRuns = 3;

    /// <summary>A look here and there begins no run.</summary>
    private const long LeastRun = 2 * HttpPages.PageSize;

    /// <summary>A longer gap counts as this: it is one jump, to where a run begins or another thread is at work.</summary>
    private const long MostGap = 8 * HttpPages.PageSize;

    private readonly Run[] _runs = [.. Enumerable.Range(0, MaxRuns).Select(_ => new Run())];
    private long _clock;

    /// <summary>Notes what is read.</summary>
    /// <param name="offset">Where, in bytes.</param>
    /// <param name="end">Up to where.</param>
    /// <returns>What to ask for now, from and up to; an empty range for nothing.</returns>
    internal (long From, long End) Note(long offset, long end)
    {
        Run run = Array.Find(_runs, known => known.Last > 0 && offset >= known.Position - most && offset <= known.Position + most) ?? Begin(offset);
        run.Last = ++_clock;
        if (end > run.Position)
        {
            long unread = end - Math.Max(offset, run.Position);
            run.Seen += unread + Math.Min(MostGap, Math.Max(0, offset - run.Position));
            run.Read += unread;
            run.Position = end;
        }
        else
        {
            run.Read = Math.Min(run.Seen, run.Read + end - offset); // Another thread has passed this one.
        }

        if (run.Seen > 2 * most)
        {
            run.Seen /= 2;
            run.Read /= 2;
        }

        run.Window = run.Read >= LeastRun && 2 * run.Read >= run.Seen ? Math.Min(most, run.Read) : 0;
        long from = Math.Max(run.Ahead, run.Position);
        long until = run.Position + run.Window;

        // Many small requests would be no faster than none.
        if (until - from < Math.Max(HttpPages.PageSize, run.Window / 4))
        {
            return (0, 0);
        }

        run.Ahead = until;
        return (from, until);
    }

    private Run Begin(long offset)
    {
        Run oldest = _runs.OrderBy(run => run.Last).First();
        oldest.Position = offset;
        oldest.Ahead = offset;
        oldest.Seen = 0;
        oldest.Read = 0;
        oldest.Window = 0;
        return oldest;
    }

    private sealed class Run
    {
        /// <summary>Up to where it was read.</summary>
        internal long Position { get; set; }

        /// <summary>Up to where it was asked for ahead.</summary>
        internal long Ahead { get; set; }

        /// <summary>Bytes from its start to its position, with gaps that are not long; the past counts less and less.</summary>
        internal long Seen { get; set; }

        /// <summary>Bytes of those that were read.</summary>
        internal long Read { get; set; }

        /// <summary>Bytes to be ahead.</summary>
        internal long Window { get; set; }

        /// <summary>When it was read last; 0 for a run that is none.</summary>
        internal long Last { get; set; }
    }
}

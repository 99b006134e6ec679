namespace Qcow2.Engine.Comparison;

/// <summary>Ranges of a disk in order, adjacent ones joined: all are counted, the first are listed.</summary>
/// <param name="max">Most ranges that are listed; at least one.</param>
internal sealed class RangeList(int max)
{
    private readonly List<DiskRange> _listed = [];
    private long _end = -1;

    /// <summary>How many ranges there are.</summary>
    internal long Count { get; private set; }

    /// <summary>Bytes of all of them.</summary>
    internal long Bytes { get; private set; }

    /// <summary>The first of them.</summary>
    internal IReadOnlyList<DiskRange> Listed => _listed;

    /// <summary>Adds a range that starts no earlier than the one before it did; it may overlap that.</summary>
    internal void Add(DiskRange range)
    {
        if (range.Offset > _end)
        {
            Count++;
            Bytes += range.Length;
            if (_listed.Count < max)
            {
                _listed.Add(range);
            }
        }
        else
        {
            Bytes += Math.Max(0, range.End - _end);
            if (_listed.Count == Count)
            {
                DiskRange last = _listed[_listed.Count - 1];
                _listed[_listed.Count - 1] = last with { Length = Math.Max(last.Length, range.End - last.Offset) };
            }
        }

        _end = Math.Max(_end, range.End);
    }

    /// <summary>Adds the ranges of a later part of the disk, which were listed up to the same number.</summary>
    internal void Add(RangeList later)
    {
        long listedBytes = 0;
        foreach (DiskRange range in later._listed)
        {
            Add(range);
            listedBytes += range.Length;
        }

        Count += later.Count - later._listed.Count;
        Bytes += later.Bytes - listedBytes;
        _end = Math.Max(_end, later._end);
    }
}

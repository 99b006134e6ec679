namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>The L2 tables of an image, each once however many L1 entries lead to it, in the order of the file.</summary>
internal sealed class L2Directory
{
    private const int BatchLength = 1 << 20;

    private readonly int _tableSize;
    private List<L2Reference> _tables = [];
    private readonly object _gate = new();
    private int _next;

    internal L2Directory(int clusterSize) => _tableSize = clusterSize;

    internal int Count => _tables.Count;

    internal IReadOnlyList<L2Reference> Tables => _tables;

    /// <summary>Notes that an L1 entry leads to a table.</summary>
    internal void Add(L2Reference table) => _tables.Add(table);

    /// <summary>Puts the tables in order, once all are there.</summary>
    internal void Complete()
    {
        for (int i = 1; i < _tables.Count; i++)
        {
            if (_tables[i].Offset <= _tables[i - 1].Offset)
            {
                Merge();
                return;
            }
        }
    }

    /// <summary>Weight with which the L1 tables refer to the cluster of a table; 0 for what is none.</summary>
    internal long WeightAt(long offset)
    {
        int low = 0;
        int high = _tables.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (_tables[middle].Offset == offset)
            {
                return _tables[middle].Weight;
            }

            if (_tables[middle].Offset < offset)
            {
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }

        return 0;
    }

    /// <summary>Starts from the first table again.</summary>
    internal void Rewind() => _next = 0;

    /// <summary>Takes tables that lie next to each other, to be read in one go.</summary>
    /// <returns>False when all were taken.</returns>
    internal bool TryTake(out int first, out int count)
    {
        lock (_gate)
        {
            first = _next;
            count = 0;
            int most = Math.Max(1, BatchLength / _tableSize);
            while (_next < _tables.Count && count < most
                && (count == 0 || _tables[_next].Offset == _tables[_next - 1].Offset + _tableSize))
            {
                _next++;
                count++;
            }

            return count > 0;
        }
    }

    /// <summary>Takes what is left away from the others.</summary>
    internal void Stop()
    {
        lock (_gate)
        {
            _next = _tables.Count;
        }
    }

    private void Merge()
    {
        // The first of those that lead to one table gives it its name.
        _tables.Sort((a, b) => a.Offset != b.Offset ? a.Offset.CompareTo(b.Offset) : a.Order.CompareTo(b.Order));
        var merged = new List<L2Reference>(_tables.Count);
        foreach (L2Reference table in _tables)
        {
            if (merged.Count > 0 && merged[merged.Count - 1].Offset == table.Offset)
            {
                L2Reference known = merged[merged.Count - 1];
                merged[merged.Count - 1] = known with { ActiveWeight = known.ActiveWeight + table.ActiveWeight, Weight = known.Weight + table.Weight };
            }
            else
            {
                merged.Add(table);
            }
        }

        _tables = merged;
    }
}

/// <summary>An L2 table and who refers to it.</summary>
/// <param name="Offset">Host offset of the table.</param>
/// <param name="Order">Which L1 entry comes first, the active table's before all others.</param>
/// <param name="GuestIndex">Which entry of its L1 table that is: which part of the disk the table maps.</param>
/// <param name="ActiveWeight">Entries of the active L1 table that lead to it; more than one is strange.</param>
/// <param name="Weight">Entries of all L1 tables that lead to it.</param>
internal readonly record struct L2Reference(long Offset, long Order, int GuestIndex, long ActiveWeight, long Weight);

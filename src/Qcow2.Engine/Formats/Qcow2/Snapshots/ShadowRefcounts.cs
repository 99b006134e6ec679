using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;

namespace Qcow2.Engine.Formats.Qcow2.Snapshots;

/// <summary>
/// The refcounts as they will be after a change of many at once, beside those that hold: the blocks that change are copies,
/// which take the place of the others when the refcount table is exchanged. What the store counts meanwhile is counted here too.
/// </summary>
internal sealed class ShadowRefcounts : IDisposable
{
    private readonly RefcountStore _store;
    private readonly RefcountOrder _order;
    private readonly int _clusterBits;
    private readonly int _perBlock;
    private readonly Dictionary<long, byte[]> _blocks = [];
    private long _lastIndex = -1;
    private byte[] _last = [];

    internal ShadowRefcounts(RefcountStore store, Qcow2Header header)
    {
        _store = store;
        _order = header.RefcountOrder;
        _clusterBits = header.ClusterBits;
        _perBlock = _order.EntriesPerBlock(header.ClusterSize);
        _store.Changed = Follow;
    }

    /// <summary>The blocks that differ from the store's, by their place in the refcount table.</summary>
    internal IReadOnlyDictionary<long, byte[]> Blocks => _blocks;

    /// <summary>Runs of clusters that the store counts references to and this does not, in ascending order.</summary>
    internal List<(long First, long End)> Freed()
    {
        var freed = new List<(long First, long End)>();
        foreach (long index in _blocks.Keys.OrderBy(index => index))
        {
            byte[] block = _blocks[index];
            byte[] before = _store.CopyBlock(index)!;
            for (int i = 0; i < _perBlock; i++)
            {
                if (_order.Read(block, i) == 0 && _order.Read(before, i) != 0)
                {
                    Append(freed, (index * _perBlock) + i);
                }
            }
        }

        return freed;
    }

    /// <summary>The count of a cluster.</summary>
    internal ulong Get(long cluster)
    {
        long index = cluster / _perBlock;
        if (index == _lastIndex)
        {
            return _order.Read(_last, (int)(cluster % _perBlock));
        }

        return _blocks.TryGetValue(index, out byte[]? block) ? _order.Read(block, (int)(cluster % _perBlock)) : _store.Get(cluster);
    }

    /// <summary>Counts one reference more to a cluster that is in use.</summary>
    /// <exception cref="Qcow2Exception">The cluster is not, or has as many references as the counts' width allows.</exception>
    internal void Increment(long cluster)
    {
        byte[] block = Block(cluster);
        int index = (int)(cluster % _perBlock);
        ulong count = _order.Read(block, index);
        if (count == 0 && _store.Get(cluster) == 0)
        {
            throw Uncounted(cluster);
        }

        if (count == _order.MaxValue)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.LimitExceeded,
                $"The cluster at 0x{cluster << _clusterBits:x} is referred to {count} times, and refcounts of {_order.Bits} bits count no further: "
                + "remove snapshots, or convert the image to one with wider refcounts.");
        }

        _order.Write(block, index, count + 1);
    }

    /// <summary>Counts one reference less.</summary>
    /// <exception cref="Qcow2Exception">The cluster has none.</exception>
    internal void Decrement(long cluster)
    {
        byte[] block = Block(cluster);
        int index = (int)(cluster % _perBlock);
        ulong count = _order.Read(block, index);
        if (count == 0)
        {
            throw Uncounted(cluster);
        }

        _order.Write(block, index, count - 1);
    }

    /// <summary>Ends the following of the store.</summary>
    public void Dispose() => _store.Changed = null;

    private void Follow(long cluster, ulong before, ulong after)
    {
        if (_blocks.TryGetValue(cluster / _perBlock, out byte[]? block))
        {
            int index = (int)(cluster % _perBlock);
            _order.Write(block, index, unchecked(_order.Read(block, index) + after - before));
        }
    }

    private byte[] Block(long cluster)
    {
        long index = cluster / _perBlock;
        if (index == _lastIndex)
        {
            return _last;
        }

        if (!_blocks.TryGetValue(index, out byte[]? block))
        {
            block = _store.CopyBlock(index) ?? throw Uncounted(cluster);
            _blocks.Add(index, block);
        }

        _lastIndex = index;
        return _last = block;
    }

    private static void Append(List<(long First, long End)> runs, long cluster)
    {
        int last = runs.Count - 1;
        if (last >= 0 && runs[last].End == cluster)
        {
            runs[last] = (runs[last].First, cluster + 1);
        }
        else
        {
            runs.Add((cluster, cluster + 1));
        }
    }

    private Qcow2Exception Uncounted(long cluster)
        => Qcow2Errors.Corrupt($"The cluster at 0x{cluster << _clusterBits:x} is in use, but its refcount is 0. Check and repair the image.");
}

using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <summary>
/// The refcount of every host cluster, in memory as far as needed (spec: "Host cluster management"), and the allocation
/// of clusters by it. Not safe from several threads: the writer's gate guards it.
/// </summary>
/// <remarks>
/// Counts that go up are applied at once, counts that go down only when <see cref="ApplyDecrements"/> is called: after
/// the references that they stood for are gone from the disk. So whatever part of this state reaches the disk, no
/// count is below the references on it, and no cluster is given out again while the disk still refers to it.
/// </remarks>
internal sealed partial class RefcountStore
{
    private readonly BlockStorage _image;
    private readonly ClusterGeometry _geometry;
    private readonly RefcountOrder _order;
    private readonly int _perBlock;
    private readonly int _maxCleanBlocks;
    private readonly Dictionary<long, Block> _blocks = [];
    private readonly Queue<long> _clean = new();
    private readonly Queue<(long Cluster, bool MayFree)> _decrements = new();
    private readonly HashSet<long> _dirtyTableEntries = [];
    private ulong[] _table;
    private long _firstTableLength;
    private long _hint;

    private RefcountStore(BlockStorage image, ClusterGeometry geometry, RefcountOrder order, ulong[] table, long cacheSize)
    {
        _image = image;
        _geometry = geometry;
        _order = order;
        _perBlock = order.EntriesPerBlock(geometry.ClusterSize);
        _table = table;
        _maxCleanBlocks = (int)Math.Max(4, Math.Min(int.MaxValue, cacheSize >> geometry.ClusterBits));
    }

    /// <summary>Host offset of the refcount table.</summary>
    internal long TableOffset { get; private set; }

    /// <summary>Clusters that the refcount table takes.</summary>
    internal int TableClusters => _table.Length / EntriesPerCluster;

    /// <summary>Whether the table lies elsewhere than the header on the disk says.</summary>
    internal bool IsTableMoved { get; private set; }

    /// <summary>
    /// First host cluster that was never given out and lies past the end of the file: it reads as zeros. Of a device, which has no such end,
    /// the first after the last one in use: it may hold anything.
    /// </summary>
    internal long HighWater { get; private set; }

    /// <summary>Whether anything waits to be written.</summary>
    internal bool IsDirty => IsTableMoved || _dirtyTableEntries.Count > 0 || DirtyBlocks > 0 || _decrements.Count > 0;

    /// <summary>Blocks that wait to be written.</summary>
    internal int DirtyBlocks { get; private set; }

    /// <summary>Whether counts wait to go down.</summary>
    internal bool HasDecrements => _decrements.Count > 0;

    /// <summary>Told of each place, as host offset and length, that the table or a new block takes; for the overlap check.</summary>
    internal Action<long, long>? MetadataAdded { get; set; }

    /// <summary>Told of each cluster whose count changes, with the count before and after.</summary>
    internal Action<long, ulong, ulong>? Changed { get; set; }

    private int EntriesPerCluster => _geometry.ClusterSize / RefcountTableEntry.Length;

    /// <summary>Opens the counts of an image.</summary>
    /// <exception cref="Qcow2Exception">The table does not lie inside the file.</exception>
    internal static RefcountStore Load(BlockStorage image, Qcow2Header header, long cacheSize)
    {
        long bytes = (long)header.RefcountTableClusters << header.ClusterBits;
        long fileLength = image.Length;
        if (header.RefcountTableOffset > fileLength - bytes)
        {
            throw Qcow2Errors.PastEnd("The refcount table", (ulong)header.RefcountTableOffset, (ulong)bytes, fileLength);
        }

        ulong[] table = new ulong[bytes / RefcountTableEntry.Length];
        BigEndianTable.Read(image, header.RefcountTableOffset, table);
        var store = new RefcountStore(image, header.Geometry, header.RefcountOrder, table, cacheSize) { TableOffset = header.RefcountTableOffset };
        store.HighWater = image.HasFixedLength ? store.FindLastCounted() + 1 : (fileLength + header.ClusterSize - 1) >> header.ClusterBits;
        return store;
    }

    /// <summary>Begins the counts of an image that has no cluster yet.</summary>
    /// <param name="image">The empty file.</param>
    /// <param name="geometry">The cluster sizes.</param>
    /// <param name="order">The width of a count.</param>
    /// <param name="expectedClusters">Clusters that the table has room for from the start. A table that is outgrown leaves a gap.</param>
    internal static RefcountStore CreateEmpty(BlockStorage image, ClusterGeometry geometry, RefcountOrder order, long expectedClusters)
    {
        var store = new RefcountStore(image, geometry, order, [], 1 << 20);
        store._firstTableLength = (expectedClusters + store._perBlock - 1) / store._perBlock;
        return store;
    }

    /// <summary>Every metadata cluster that the store knows of: its table and its blocks, as host offset and length.</summary>
    internal IEnumerable<(long Offset, long Length)> MetadataRanges()
    {
        yield return (TableOffset, (long)TableClusters << _geometry.ClusterBits);
        foreach (ulong entry in _table)
        {
            if (new RefcountTableEntry(entry).IsUsed)
            {
                yield return ((long)new RefcountTableEntry(entry).Offset, _geometry.ClusterSize);
            }
        }
    }

    /// <summary>The count of a cluster, decrements that wait not deducted.</summary>
    internal ulong Get(long cluster)
        => Find(cluster / _perBlock) is Block block ? _order.Read(block.Data, (int)(cluster % _perBlock)) : 0;

    /// <summary>Counts one reference more to a cluster that has some already.</summary>
    /// <param name="cluster">The cluster's number.</param>
    /// <param name="most">Most references that it may get by this.</param>
    /// <returns>False if that, or the width of the counts, does not allow it.</returns>
    internal bool TryIncrement(long cluster, ulong most)
    {
        Block block = Find(cluster / _perBlock) ?? throw Uncounted(cluster);
        ulong count = _order.Read(block.Data, (int)(cluster % _perBlock));
        if (count >= most || count == _order.MaxValue)
        {
            return false;
        }

        Set(cluster, block, count + 1);
        return true;
    }

    /// <summary>Counts one reference less, once the disk no longer has it: see <see cref="ApplyDecrements"/>.</summary>
    internal void QueueDecrement(long cluster) => _decrements.Enqueue((cluster, true));

    /// <summary>
    /// Counts one reference less of a cluster whose entry said that others refer to it, too. Where the count does not know of them
    /// the entry is believed: the cluster is leaked rather than given to somebody else.
    /// </summary>
    internal void QueueSharedDecrement(long cluster) => _decrements.Enqueue((cluster, false));

    /// <summary>Counts one reference less to each cluster of a structure, once the disk no longer has it.</summary>
    internal void QueueDecrements(long offset, long length)
    {
        for (long cluster = offset >> _geometry.ClusterBits; cluster <= (offset + length - 1) >> _geometry.ClusterBits; cluster++)
        {
            QueueDecrement(cluster);
        }
    }

    /// <summary>Takes back an allocation that nothing on the disk or in memory refers to.</summary>
    internal void Release(long cluster, long count)
    {
        for (long i = cluster; i < cluster + count; i++)
        {
            Decrement(i);
        }
    }

    /// <summary>Applies the decrements that wait, now that the disk has lost the references.</summary>
    /// <param name="freed">Told of each cluster that nothing refers to any more.</param>
    internal void ApplyDecrements(Action<long> freed)
    {
        while (_decrements.Count > 0)
        {
            (long cluster, bool mayFree) = _decrements.Peek();
            if (!mayFree && Get(cluster) <= 1)
            {
                _decrements.Dequeue();
                continue;
            }

            ulong count = Decrement(cluster);
            _decrements.Dequeue(); // Only now: what failed is tried again, what was done is not.
            if (count == 0)
            {
                freed(cluster);
            }
        }
    }

    private ulong Decrement(long cluster)
    {
        Block block = Find(cluster / _perBlock) ?? throw Uncounted(cluster);
        ulong count = _order.Read(block.Data, (int)(cluster % _perBlock));
        if (count == 0)
        {
            throw Uncounted(cluster);
        }

        Set(cluster, block, count - 1);
        if (count == 1)
        {
            _hint = Math.Min(_hint, cluster);
        }

        return count - 1;
    }

    private void Set(long cluster, Block block, ulong count)
    {
        int index = (int)(cluster % _perBlock);
        Changed?.Invoke(cluster, _order.Read(block.Data, index), count);
        _order.Write(block.Data, index, count);
        if (!block.IsDirty)
        {
            block.IsDirty = true;
            DirtyBlocks++;
        }
    }

    private Block? Find(long index)
    {
        if (_blocks.TryGetValue(index, out Block? known))
        {
            return known;
        }

        if (index >= _table.Length || !new RefcountTableEntry(_table[index]).IsUsed)
        {
            return null;
        }

        ulong offset = new RefcountTableEntry(_table[index]).Offset;
        long fileLength = _image.Length;
        if (offset > (ulong)Math.Max(0, fileLength - _geometry.ClusterSize) || !_geometry.IsClusterAligned((long)offset))
        {
            throw Qcow2Errors.PastEnd($"Refcount block {index}", offset, (ulong)_geometry.ClusterSize, fileLength);
        }

        var block = new Block((long)offset, new byte[_geometry.ClusterSize]);
        _image.ReadZeroPadded((long)offset, block.Data);
        _blocks.Add(index, block);
        EnqueueClean(index, block);
        Shrink();
        return block;
    }

    private void EnqueueClean(long index, Block block)
    {
        if (!block.IsQueued)
        {
            block.IsQueued = true;
            _clean.Enqueue(index);
        }
    }

    private void Shrink()
    {
        for (int i = _clean.Count; i > 1 && _blocks.Count - DirtyBlocks > _maxCleanBlocks; i--)
        {
            long oldest = _clean.Dequeue();
            Block block = _blocks[oldest];
            block.IsQueued = false;
            if (!block.IsDirty)
            {
                _blocks.Remove(oldest);
            }
        }
    }

    private Qcow2Exception Uncounted(long cluster)
        => Qcow2Errors.Corrupt($"The cluster at 0x{cluster << _geometry.ClusterBits:x} is in use, but its refcount is 0.");

    private sealed class Block(long offset, byte[] data)
    {
        internal long Offset { get; } = offset;

        internal byte[] Data { get; } = data;

        internal bool IsDirty { get; set; }

        /// <summary>Whether it stands in the queue of blocks that may be dropped.</summary>
        internal bool IsQueued { get; set; }
    }
}

using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Metadata;

/// <summary>
/// The refcount of every host cluster, in memory as far as needed (spec: "Host cluster management"), and the allocation
/// of clusters by it. Not safe from several threads: the writer's gate guards it.
/// </summary>
/// <remarks>
/// Counts that go up are applied at once, counts that go down only when <see cref="ApplyDecrements"/> is called: after
/// the references that they stood for are gone from the disk. So whatever part of this state reaches the disk, no
/// count is below the references on it, and no cluster is given out again while the disk still refers to it.
/// </remarks>
internal sealed class RefcountStore
{
    private readonly BlockStorage _image;
    private readonly ClusterGeometry _geometry;
    private readonly RefcountOrder _order;
    private readonly int _perBlock;
    private readonly int _maxCleanBlocks;
    private readonly Dictionary<long, Block> _blocks = [];
    private readonly Queue<long> _clean = new();
    private readonly Queue<long> _decrements = new();
    private readonly HashSet<long> _dirtyTableEntries = [];
    private ulong[] _table;
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

    /// <summary>First host cluster that was never given out and lies past the end of the file: it reads as zeros.</summary>
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
        return new RefcountStore(image, header.Geometry, header.RefcountOrder, table, cacheSize)
        {
            TableOffset = header.RefcountTableOffset,
            HighWater = (fileLength + header.ClusterSize - 1) >> header.ClusterBits,
        };
    }

    /// <summary>Begins the counts of an image that has no cluster yet.</summary>
    internal static RefcountStore CreateEmpty(BlockStorage image, ClusterGeometry geometry, RefcountOrder order)
        => new(image, geometry, order, [], 1 << 20);

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
    /// <returns>False if the width of the counts does not allow it.</returns>
    internal bool TryIncrement(long cluster)
    {
        Block block = Find(cluster / _perBlock) ?? throw Uncounted(cluster);
        ulong count = _order.Read(block.Data, (int)(cluster % _perBlock));
        if (count == _order.MaxValue)
        {
            return false;
        }

        Set(cluster, block, count + 1);
        return true;
    }

    /// <summary>Counts one reference less, once the disk no longer has it: see <see cref="ApplyDecrements"/>.</summary>
    internal void QueueDecrement(long cluster) => _decrements.Enqueue(cluster);

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
            long cluster = _decrements.Peek();
            ulong count = Decrement(cluster);
            _decrements.Dequeue(); // Only now: what failed is tried again, what was done is not.
            if (count == 0)
            {
                freed(cluster);
            }
        }
    }

    /// <summary>Finds free clusters and counts one reference to each.</summary>
    /// <param name="wanted">Most clusters wanted; at least 1.</param>
    /// <param name="count">Clusters found, next to each other.</param>
    /// <param name="isFresh">Whether they were never used, so that the file reads as zeros there.</param>
    /// <returns>The first cluster.</returns>
    /// <exception cref="Qcow2Exception">The image is as large as its format allows.</exception>
    internal long Allocate(int wanted, out int count, out bool isFresh)
    {
        for (; _hint < HighWater; _hint++)
        {
            Block? block = Find(_hint / _perBlock);
            if (block is null)
            {
                // A stretch without counts below the end of the file is left alone.
                _hint = Math.Min(HighWater, ((_hint / _perBlock) + 1) * _perBlock) - 1;
                continue;
            }

            int index = (int)(_hint % _perBlock);
            if (_order.Read(block.Data, index) != 0)
            {
                continue;
            }

            long first = _hint;
            count = 0;
            while (count < wanted && index + count < _perBlock && first + count < HighWater && _order.Read(block.Data, index + count) == 0)
            {
                Set(first + count, block, 1);
                count++;
            }

            _hint = first + count;
            isFresh = false;
            return first;
        }

        count = wanted;
        isFresh = true;
        long appended = Append(wanted);
        _hint = HighWater;
        return appended;
    }

    /// <summary>Takes clusters from the end of the file, next to each other however many they are.</summary>
    /// <exception cref="Qcow2Exception">The image is as large as its format allows.</exception>
    internal long Append(long count)
    {
        // Reads come first, so that a failure leaves nothing half done.
        AppendLayout layout = LayOut(count);
        while (FindCounted(layout.Start, layout.End) is long counted)
        {
            // A crash can leave counts without what was to follow them. They are leaks, for a repair to find.
            HighWater = counted + 1;
            layout = LayOut(count);
        }

        RequireRoom(layout.End, layout.TableLength);
        CountOne(layout.Start, layout.End);
        if (layout.TableClusters > 0)
        {
            MoveTable((layout.Start + count) << _geometry.ClusterBits, layout.TableLength);
        }

        for (int i = 0; i < layout.Missing.Count; i++)
        {
            AddBlock(layout.Missing[i], (layout.Start + count + layout.TableClusters + i) << _geometry.ClusterBits);
            long first = layout.Missing[i] * _perBlock;
            CountOne(Math.Max(layout.Start, first), Math.Min(layout.End, first + _perBlock));
        }

        HighWater = layout.End;
        return layout.Start;
    }

    /// <summary>Finds free clusters next to each other and counts one reference to each.</summary>
    /// <exception cref="Qcow2Exception">The image is as large as its format allows.</exception>
    internal long AllocateTogether(long count)
    {
        if (count <= int.MaxValue)
        {
            long first = Allocate((int)count, out int found, out _);
            if (found == count)
            {
                return first;
            }

            Release(first, found);
        }

        return Append(count);
    }

    /// <summary>A copy of a block; null where the table has none.</summary>
    internal byte[]? CopyBlock(long index) => (byte[]?)Find(index)?.Data.Clone();

    /// <summary>The host offset of a block that the table has.</summary>
    internal long BlockOffset(long index) => (long)new RefcountTableEntry(_table[index]).Offset;

    /// <summary>The table with other places for some of its blocks.</summary>
    internal ulong[] TableWith(IReadOnlyDictionary<long, long> blockOffsets)
    {
        ulong[] table = (ulong[])_table.Clone();
        foreach (KeyValuePair<long, long> block in blockOffsets)
        {
            table[block.Key] = (ulong)block.Value;
        }

        return table;
    }

    /// <summary>Goes on with a table and blocks that took the places of others, and are on the disk. Nothing waits to be written.</summary>
    /// <param name="tableOffset">Host offset of the table.</param>
    /// <param name="table">The table; as long as the one before.</param>
    /// <param name="blocks">The blocks that changed, by their place in the table.</param>
    internal void Adopt(long tableOffset, ulong[] table, IReadOnlyDictionary<long, byte[]> blocks)
    {
        TableOffset = tableOffset;
        _table = table;
        foreach (KeyValuePair<long, byte[]> pair in blocks)
        {
            bool isQueued = false;
            if (_blocks.TryGetValue(pair.Key, out Block? before))
            {
                isQueued = before.IsQueued;
                DirtyBlocks -= before.IsDirty ? 1 : 0;
            }

            var block = new Block((long)new RefcountTableEntry(table[pair.Key]).Offset, pair.Value) { IsQueued = isQueued };
            _blocks[pair.Key] = block;
            EnqueueClean(pair.Key, block);
        }

        Shrink();
    }

    /// <summary>Lets the next search for free clusters begin no later than here.</summary>
    internal void NoteFree(long cluster) => _hint = Math.Min(_hint, cluster);

    /// <summary>First host cluster of those at the end of the file that are free. Their counts must be on the disk.</summary>
    internal long FindFreeEnd()
    {
        long end = HighWater;
        while (end > 0 && Find((end - 1) / _perBlock) is Block block && _order.Read(block.Data, (int)((end - 1) % _perBlock)) == 0)
        {
            end--;
        }

        return end;
    }

    /// <summary>Notes that the file was cut off before a cluster, so that it reads as zeros from there on.</summary>
    internal void NoteEnd(long cluster)
    {
        HighWater = cluster;
        _hint = Math.Min(_hint, HighWater);
    }

    /// <summary>Writes the blocks that changed. They stay dirty until the disk is known to have them.</summary>
    internal void WriteBlocks()
    {
        foreach (Block block in _blocks.Values.Where(block => block.IsDirty).OrderBy(block => block.Offset))
        {
            _image.Write(block.Offset, block.Data);
        }
    }

    /// <summary>Notes that the disk has the blocks.</summary>
    internal void MarkBlocksWritten()
    {
        foreach (KeyValuePair<long, Block> pair in _blocks.Where(pair => pair.Value.IsDirty).ToList())
        {
            pair.Value.IsDirty = false;
            DirtyBlocks--;
            EnqueueClean(pair.Key, pair.Value);
        }

        Shrink();
    }

    /// <summary>Writes a table that moved, at its new place, to which the header does not point yet.</summary>
    internal void WriteMovedTable()
    {
        if (IsTableMoved)
        {
            BigEndianTable.Write(_image, TableOffset, _table);
        }
    }

    /// <summary>Writes the entries of new blocks into a table that did not move. The blocks must be on the disk by now.</summary>
    /// <returns>Whether there were any.</returns>
    internal bool WriteTableEntries()
    {
        if (IsTableMoved || _dirtyTableEntries.Count == 0)
        {
            return false;
        }

        foreach (long index in _dirtyTableEntries)
        {
            BigEndianTable.Write(_image, TableOffset + (index * RefcountTableEntry.Length), _table.AsSpan((int)index, 1));
        }

        return true;
    }

    /// <summary>Notes that the disk has the table.</summary>
    internal void MarkTableWritten()
    {
        IsTableMoved = false;
        _dirtyTableEntries.Clear();
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

    /// <summary>
    /// Counts for new clusters may need new blocks, those a larger table, and both need counts themselves: all of them follow
    /// the clusters asked for, so finds how many there are until the sum holds.
    /// </summary>
    private AppendLayout LayOut(long count)
    {
        long start = HighWater;
        long tableLength = _table.Length;
        long tableClusters = 0;
        while (true)
        {
            List<long> missing;
            long end;
            long counted = 0;
            do
            {
                missing = MissingBlocks(start, start + count + tableClusters + counted);
                end = start + count + tableClusters + missing.Count;
            }
            while (counted != (counted = missing.Count));

            long neededLength = ((end - 1) / _perBlock) + 1;
            if (neededLength <= tableLength)
            {
                return new AppendLayout(start, end, tableLength, tableClusters, missing);
            }

            tableLength = RoundUp(Math.Max(neededLength, _table.Length + (_table.Length / 2)), EntriesPerCluster);
            tableClusters = tableLength / EntriesPerCluster;
        }
    }

    /// <summary>The last cluster of a range that has a count; null if none has.</summary>
    private long? FindCounted(long start, long end)
    {
        for (long cluster = end - 1; cluster >= start; cluster--)
        {
            if (Get(cluster) != 0)
            {
                return cluster;
            }
        }

        return null;
    }

    /// <summary>Counts one reference to each cluster of a range that has a block.</summary>
    private void CountOne(long start, long end)
    {
        for (long cluster = start; cluster < end; cluster++)
        {
            if (Find(cluster / _perBlock) is Block block)
            {
                Set(cluster, block, 1);
            }
        }
    }

    private List<long> MissingBlocks(long start, long end)
    {
        var missing = new List<long>();
        for (long index = start / _perBlock; index <= (end - 1) / _perBlock; index++)
        {
            if (index >= _table.Length || !new RefcountTableEntry(_table[index]).IsUsed)
            {
                missing.Add(index);
            }
        }

        return missing;
    }

    private void MoveTable(long offset, long length)
    {
        for (int i = 0; i < TableClusters; i++)
        {
            QueueDecrement((TableOffset >> _geometry.ClusterBits) + i);
        }

        Array.Resize(ref _table, (int)length);
        TableOffset = offset;
        IsTableMoved = true;
        MetadataAdded?.Invoke(offset, length * RefcountTableEntry.Length);
    }

    private void AddBlock(long index, long offset)
    {
        _blocks.Add(index, new Block(offset, new byte[_geometry.ClusterSize]) { IsDirty = true });
        DirtyBlocks++;
        _table[index] = (ulong)offset;
        _dirtyTableEntries.Add(index);
        MetadataAdded?.Invoke(offset, _geometry.ClusterSize);
    }

    private void RequireRoom(long endCluster, long tableLength)
    {
        if (endCluster > Qcow2Limits.HostOffsetEnd >> _geometry.ClusterBits)
        {
            throw Qcow2Errors.Limit("The image file's length", (ulong)endCluster << _geometry.ClusterBits, (ulong)Qcow2Limits.HostOffsetEnd, "bytes");
        }

        long tableBytes = tableLength * RefcountTableEntry.Length;
        if (tableBytes > Qcow2Limits.MaxRefcountTableBytes)
        {
            throw Qcow2Errors.Limit("The refcount table's size", (ulong)tableBytes, (ulong)Qcow2Limits.MaxRefcountTableBytes, "bytes");
        }
    }

    private Qcow2Exception Uncounted(long cluster)
        => Qcow2Errors.Corrupt($"The cluster at 0x{cluster << _geometry.ClusterBits:x} is in use, but its refcount is 0.");

    private static long RoundUp(long value, long unit) => (value + unit - 1) / unit * unit;

    /// <summary>What an append will take: first the clusters asked for, then a larger table if need be, then new blocks.</summary>
    private readonly record struct AppendLayout(long Start, long End, long TableLength, long TableClusters, List<long> Missing);

    private sealed class Block(long offset, byte[] data)
    {
        internal long Offset { get; } = offset;

        internal byte[] Data { get; } = data;

        internal bool IsDirty { get; set; }

        /// <summary>Whether it stands in the queue of blocks that may be dropped.</summary>
        internal bool IsQueued { get; set; }
    }
}

using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <content>Finding clusters for something new, and room to count them.</content>
internal sealed partial class RefcountStore
{
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
        isFresh = !_image.HasFixedLength;
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

    /// <summary>Notes that a file was cut off before a cluster, so that it reads as zeros from there on, or that a device is not used from there on.</summary>
    internal void NoteEnd(long cluster)
    {
        HighWater = cluster;
        _hint = Math.Min(_hint, HighWater);
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

            tableLength = RoundUp(Math.Max(neededLength, Math.Max(_firstTableLength, _table.Length + (_table.Length / 2))), EntriesPerCluster);
            tableClusters = tableLength / EntriesPerCluster;
        }
    }

    /// <summary>The last cluster that has a count.</summary>
    private long FindLastCounted()
    {
        for (long index = _table.Length - 1; index >= 0; index--)
        {
            if (Find(index) is Block block)
            {
                for (int i = _perBlock - 1; i >= 0; i--)
                {
                    if (_order.Read(block.Data, i) != 0)
                    {
                        return (index * _perBlock) + i;
                    }
                }
            }
        }

        return -1;
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

        _image.RequireRoom(endCluster << _geometry.ClusterBits);
        long tableBytes = tableLength * RefcountTableEntry.Length;
        if (tableBytes > Qcow2Limits.MaxRefcountTableBytes)
        {
            throw Qcow2Errors.Limit("The refcount table's size", (ulong)tableBytes, (ulong)Qcow2Limits.MaxRefcountTableBytes, "bytes");
        }
    }

    private static long RoundUp(long value, long unit) => (value + unit - 1) / unit * unit;

    /// <summary>What an append will take: first the clusters asked for, then a larger table if need be, then new blocks.</summary>
    private readonly record struct AppendLayout(long Start, long End, long TableLength, long TableClusters, List<long> Missing);
}

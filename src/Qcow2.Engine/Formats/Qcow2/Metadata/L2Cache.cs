using System.Collections.Concurrent;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <summary>
/// L2 tables in memory, a slice at a time, within a bounded size: a 1 TiB image has 128 MiB of them. Hits take no lock.
/// Evicts by second chance (CLOCK): a slice that was used since the hand last passed stays.
/// </summary>
internal sealed class L2Cache
{
    // Large enough that a sequential reader seldom asks, small enough that a random one wastes little.
    private const int MaxSliceBytes = 16 * 1024;
    private const int MinSlices = 16;

    private readonly BlockStorage _storage;
    private readonly ClusterGeometry _geometry;
    private readonly int _capacity;
    private readonly ConcurrentDictionary<long, Slot> _slots = new();
    private readonly Queue<long> _clock = new();
    private readonly Dictionary<long, Slot> _dirty = [];
    private readonly HashSet<long> _newTables = [];

    // Times that changed slices came to the disk, and so may have left the cache. Under _clock.
    private int _commits;

    internal L2Cache(BlockStorage storage, ClusterGeometry geometry, long maxBytes)
    {
        _storage = storage;
        _geometry = geometry;
        SliceBytes = Math.Min(geometry.ClusterSize, MaxSliceBytes);
        EntriesPerSlice = SliceBytes / geometry.L2EntryLength;
        _capacity = (int)Math.Min(int.MaxValue, Math.Max(MinSlices, maxBytes / SliceBytes));
    }

    /// <summary>L2 entries in a slice.</summary>
    internal int EntriesPerSlice { get; }

    /// <summary>Bytes of slices that wait to be written; they stay in memory until then, whatever the bound.</summary>
    internal long DirtyBytes => (long)_dirty.Count * SliceBytes;

    /// <summary>The bound, in bytes.</summary>
    internal long CapacityBytes => (long)_capacity * SliceBytes;

    private int SliceBytes { get; }

    private int SlicesPerTable => _geometry.ClusterSize / SliceBytes;

    /// <summary>Returns a slice as numbers of the host: one for each standard entry, two for each extended one.</summary>
    /// <param name="tableOffset">Host offset of the L2 table; cluster-aligned.</param>
    /// <param name="sliceIndex">Which slice of the table.</param>
    /// <exception cref="Qcow2Exception">The table does not lie inside the file.</exception>
    internal ulong[] GetSlice(long tableOffset, int sliceIndex)
    {
        long offset = tableOffset + ((long)sliceIndex * SliceBytes);
        while (true)
        {
            if (_slots.TryGetValue(offset, out Slot? slot))
            {
                slot.MarkUsed();
                return slot.Entries;
            }

            int commits = Volatile.Read(ref _commits);
            long fileLength = _storage.Length;
            if (tableOffset > fileLength - _geometry.ClusterSize)
            {
                throw Qcow2Errors.PastEnd("An L2 table", (ulong)tableOffset, (ulong)_geometry.ClusterSize, fileLength);
            }

            ulong[] entries = new ulong[SliceBytes / sizeof(ulong)];
            BigEndianTable.Read(_storage, offset, entries);
            if (TryAdd(offset, new Slot(entries), commits))
            {
                return entries;
            }
        }
    }

    /// <summary>
    /// Returns a slice that the caller is about to change, and keeps it until it is written. Only for the writer, under
    /// its gate.
    /// </summary>
    internal ulong[] GetSliceForUpdate(long tableOffset, int sliceIndex)
    {
        long offset = tableOffset + ((long)sliceIndex * SliceBytes);
        ulong[] entries = GetSlice(tableOffset, sliceIndex);
        lock (_clock)
        {
            // It may have been dropped since; nobody but the writer changes it, so what was read still holds.
            if (!_slots.TryGetValue(offset, out Slot? slot))
            {
                slot = new Slot(entries);
                _slots[offset] = slot;
                _clock.Enqueue(offset);
            }

            slot.IsDirty = true;
            _dirty[offset] = slot;
            return slot.Entries;
        }
    }

    /// <summary>Begins a table that is not on the disk yet: empty, or a copy of another one.</summary>
    /// <param name="tableOffset">Host offset of the new table.</param>
    /// <param name="source">Host offset of the table to copy; null for an empty one.</param>
    internal void AddTable(long tableOffset, long? source)
    {
        _newTables.Add(tableOffset);
        for (int i = 0; i < SlicesPerTable; i++)
        {
            ulong[] entries = source is long table ? (ulong[])GetSlice(table, i).Clone() : new ulong[SliceBytes / sizeof(ulong)];
            long offset = tableOffset + ((long)i * SliceBytes);
            var slot = new Slot(entries) { IsDirty = true };
            _dirty[offset] = slot;
            lock (_clock)
            {
                if (!_slots.ContainsKey(offset))
                {
                    _clock.Enqueue(offset);
                }

                _slots[offset] = slot;
            }
        }
    }

    /// <summary>Forgets a table whose cluster is given up.</summary>
    internal void RemoveTable(long tableOffset)
    {
        _newTables.Remove(tableOffset);
        for (int i = 0; i < SlicesPerTable; i++)
        {
            long offset = tableOffset + ((long)i * SliceBytes);
            _dirty.Remove(offset);
            if (_slots.TryGetValue(offset, out Slot? slot))
            {
                slot.IsDirty = false;
            }
        }
    }

    /// <summary>Writes the slices of new tables, which nothing on the disk refers to yet.</summary>
    internal void WriteNewTables() => Write(slice => _newTables.Contains(TableOf(slice)));

    /// <summary>
    /// Notes that the disk has the new tables. From now on references to them may get there, so they are written as any other.
    /// </summary>
    internal void MarkNewTablesWritten()
    {
        lock (_clock)
        {
            _commits++;
            foreach (long offset in _dirty.Keys.Where(slice => _newTables.Contains(TableOf(slice))).ToList())
            {
                _dirty[offset].IsDirty = false;
                _dirty.Remove(offset);
            }
        }

        _newTables.Clear();
    }

    /// <summary>Writes the slices of tables that are on the disk already.</summary>
    internal void WriteTables() => Write(_ => true);

    /// <summary>Notes that the disk has all that was written.</summary>
    internal void MarkWritten()
    {
        lock (_clock)
        {
            _commits++;
            foreach (Slot slot in _dirty.Values)
            {
                slot.IsDirty = false;
            }

            _dirty.Clear();
            Shrink();
        }
    }

    /// <summary>Forgets every slice. Nothing may wait to be written.</summary>
    internal void Clear()
    {
        lock (_clock)
        {
            _commits++;
            _slots.Clear();
            _clock.Clear();
        }
    }

    private long TableOf(long slice) => slice & ~((long)_geometry.ClusterSize - 1);

    private void Write(Func<long, bool> isWanted)
    {
        foreach (KeyValuePair<long, Slot> slice in _dirty.Where(pair => isWanted(pair.Key)).OrderBy(pair => pair.Key))
        {
            BigEndianTable.Write(_storage, slice.Key, slice.Value.Entries);
        }
    }

    /// <summary>Keeps a slice that was read from the disk.</summary>
    /// <param name="offset">Host offset of the slice.</param>
    /// <param name="slot">The slice.</param>
    /// <param name="commits">What <see cref="_commits"/> was before it was read.</param>
    /// <returns>
    /// False if it is to be read again: another thread has it by now, or it may have been changed, written and dropped since, and
    /// what was read is no longer what the disk holds. The writer would bring it back there.
    /// </returns>
    private bool TryAdd(long offset, Slot slot, int commits)
    {
        lock (_clock)
        {
            if (_commits != commits || !_slots.TryAdd(offset, slot))
            {
                return false;
            }

            _clock.Enqueue(offset);
            Shrink();
            return true;
        }
    }

    private void Shrink()
    {
        // Twice round is enough to find every slice that may go.
        for (int i = 2 * _clock.Count; i > 0 && _clock.Count > _capacity; i--)
        {
            long candidate = _clock.Dequeue();
            Slot slot = _slots[candidate];
            if (slot.IsDirty || slot.TakeSecondChance())
            {
                _clock.Enqueue(candidate);
            }
            else
            {
                _slots.TryRemove(candidate, out _);
            }
        }
    }

    private sealed class Slot(ulong[] entries)
    {
        private volatile bool _used;

        internal ulong[] Entries { get; } = entries;

        /// <summary>Whether it waits to be written, and so must stay.</summary>
        internal bool IsDirty { get; set; }

        internal void MarkUsed()
        {
            // Reading first keeps the cache line shared between the processors of many readers.
            if (!_used)
            {
                _used = true;
            }
        }

        internal bool TakeSecondChance()
        {
            bool used = _used;
            _used = false;
            return used;
        }
    }
}

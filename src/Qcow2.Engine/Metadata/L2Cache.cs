using System.Collections.Concurrent;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Metadata;

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

    private int SliceBytes { get; }

    /// <summary>Returns a slice as numbers of the host: one for each standard entry, two for each extended one.</summary>
    /// <param name="tableOffset">Host offset of the L2 table; cluster-aligned.</param>
    /// <param name="sliceIndex">Which slice of the table.</param>
    /// <exception cref="Qcow2Exception">The table does not lie inside the file.</exception>
    internal ulong[] GetSlice(long tableOffset, int sliceIndex)
    {
        long offset = tableOffset + ((long)sliceIndex * SliceBytes);
        if (_slots.TryGetValue(offset, out Slot? slot))
        {
            slot.MarkUsed();
            return slot.Entries;
        }

        long fileLength = _storage.Length;
        if (tableOffset > fileLength - _geometry.ClusterSize)
        {
            throw Qcow2Errors.PastEnd("An L2 table", (ulong)tableOffset, (ulong)_geometry.ClusterSize, fileLength);
        }

        ulong[] entries = new ulong[SliceBytes / sizeof(ulong)];
        BigEndianTable.Read(_storage, offset, entries);
        Add(offset, new Slot(entries));
        return entries;
    }

    private void Add(long offset, Slot slot)
    {
        lock (_clock)
        {
            if (!_slots.TryAdd(offset, slot))
            {
                return; // Another thread read the same slice meanwhile.
            }

            _clock.Enqueue(offset);
            while (_clock.Count > _capacity)
            {
                long candidate = _clock.Dequeue();
                if (_slots[candidate].TakeSecondChance())
                {
                    _clock.Enqueue(candidate);
                }
                else
                {
                    _slots.TryRemove(candidate, out _);
                }
            }
        }
    }

    private sealed class Slot(ulong[] entries)
    {
        private volatile bool _used;

        internal ulong[] Entries { get; } = entries;

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

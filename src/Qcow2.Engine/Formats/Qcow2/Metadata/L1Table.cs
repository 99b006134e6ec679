using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <summary>An L1 table in memory: the active one or a snapshot's.</summary>
internal sealed class L1Table
{
    private readonly SortedSet<int> _dirty = [];
    private volatile ulong[] _entries;

    /// <summary>Entries that could be read; those that follow are lost.</summary>
    private int _readable = int.MaxValue;

    private L1Table(long offset, ulong[] entries)
    {
        Offset = offset;
        _entries = entries;
    }

    /// <summary>Host offset of the table.</summary>
    internal long Offset { get; private set; }

    internal int Count => _entries.Length;

    /// <summary>Whether not even the first entry could be read.</summary>
    internal bool IsLost => _readable == 0;

    /// <summary>Whether the table lies elsewhere than the header on the disk says.</summary>
    internal bool IsMoved { get; private set; }

    /// <summary>Whether anything waits to be written.</summary>
    internal bool IsDirty => IsMoved || _dirty.Count > 0;

    internal L1Entry this[int index] => index < _readable
        ? new(Volatile.Read(ref _entries[index]))
        : throw Qcow2Errors.Corrupt($"Entry {index} of the L1 table at 0x{Offset:x} lies past the end of the file: what it led to is lost.");

    /// <summary>Whether an entry lies past the end of the file, and with it all that follow.</summary>
    internal bool IsCutBefore(int index) => index >= _readable;

    /// <summary>A table of entries that point nowhere.</summary>
    internal static L1Table CreateEmpty(long offset, int count) => new(offset, new ulong[count]) { IsMoved = true };

    /// <summary>Reads a table.</summary>
    /// <param name="storage">The image file.</param>
    /// <param name="offset">Host offset of the table.</param>
    /// <param name="count">Number of entries; checked against the limit by whoever read it from the file.</param>
    /// <param name="name">What to call the table in an error.</param>
    /// <param name="mayBeCut">Whether a table of which only a part lies in the file will do, or nothing at all.</param>
    /// <exception cref="Qcow2Exception">The table does not fit in the file.</exception>
    internal static L1Table Load(BlockStorage storage, long offset, int count, string name, bool mayBeCut = false)
    {
        long bytes = (long)count * L1Entry.Length;
        long fileLength = storage.Length;
        bool isCut = count > 0 && offset > fileLength - bytes; // A table without entries lies nowhere, whatever is said of it.
        if (isCut && !mayBeCut)
        {
            throw Qcow2Errors.PastEnd(name, (ulong)offset, (ulong)bytes, fileLength);
        }

        ulong[] entries = new ulong[count];
        int readable = isCut ? (int)Math.Max(0, (fileLength - offset) / L1Entry.Length) : count;
        BigEndianTable.Read(storage, offset, entries.AsSpan(0, readable));
        return new L1Table(offset, entries) { _readable = isCut ? readable : int.MaxValue };
    }

    /// <summary>Number of consecutive entries from one on that point to no L2 table.</summary>
    internal int CountUnused(int index, int limit)
    {
        int end = Math.Min(limit, Math.Min(_readable, _entries.Length));
        int i = index;
        while (i < end && !new L1Entry(_entries[i]).IsUsed)
        {
            i++;
        }

        return i - index;
    }

    /// <summary>Changes an entry. Readers see it at once, the disk when it is written.</summary>
    internal void Set(int index, L1Entry entry)
    {
        Volatile.Write(ref _entries[index], entry.Value);
        _dirty.Add(index);
    }

    /// <summary>Makes room for a larger disk, in clusters that the caller allocated.</summary>
    internal void Move(long offset, int count)
    {
        ulong[] larger = new ulong[count];
        _entries.CopyTo(larger, 0);
        _entries = larger;
        Offset = offset;
        IsMoved = true;
    }

    /// <summary>A copy of the entries' 64 bits.</summary>
    internal ulong[] CopyEntries() => (ulong[])_entries.Clone();

    /// <summary>Goes on with a table that took the place of this one, and is on the disk. Nothing waits to be written.</summary>
    internal void Adopt(long offset, ulong[] entries)
    {
        _entries = entries;
        Offset = offset;
    }

    /// <summary>Writes a table that moved, at its new place, to which the header does not point yet.</summary>
    internal void WriteMoved(BlockStorage image)
    {
        if (IsMoved)
        {
            BigEndianTable.Write(image, Offset, _entries);
        }
    }

    /// <summary>Writes the entries that changed in a table that did not move.</summary>
    internal void WriteEntries(BlockStorage image)
    {
        if (IsMoved)
        {
            return;
        }

        foreach (int index in _dirty)
        {
            BigEndianTable.Write(image, Offset + ((long)index * L1Entry.Length), _entries.AsSpan(index, 1));
        }
    }

    /// <summary>Notes that the disk has the table.</summary>
    internal void MarkWritten()
    {
        IsMoved = false;
        _dirty.Clear();
    }
}

using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Metadata;

/// <summary>An L1 table in memory: the active one or a snapshot's.</summary>
internal sealed class L1Table
{
    private readonly ulong[] _entries;

    private L1Table(ulong[] entries) => _entries = entries;

    internal int Count => _entries.Length;

    internal L1Entry this[int index] => new(_entries[index]);

    /// <summary>Reads a table.</summary>
    /// <param name="storage">The image file.</param>
    /// <param name="offset">Host offset of the table.</param>
    /// <param name="count">Number of entries; checked against the limit by whoever read it from the file.</param>
    /// <param name="name">What to call the table in an error.</param>
    /// <exception cref="Qcow2Exception">The table does not fit in the file.</exception>
    internal static L1Table Load(BlockStorage storage, long offset, int count, string name)
    {
        long bytes = (long)count * L1Entry.Length;
        long fileLength = storage.Length;
        if (offset > fileLength - bytes)
        {
            throw Qcow2Errors.PastEnd(name, (ulong)offset, (ulong)bytes, fileLength);
        }

        ulong[] entries = new ulong[count];
        BigEndianTable.Read(storage, offset, entries);
        return new L1Table(entries);
    }

    /// <summary>Number of consecutive entries from one on that point to no L2 table.</summary>
    internal int CountUnused(int index, int limit)
    {
        int end = Math.Min(limit, _entries.Length);
        int i = index;
        while (i < end && !new L1Entry(_entries[i]).IsUsed)
        {
            i++;
        }

        return i - index;
    }
}

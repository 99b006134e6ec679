using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <content>Bringing counts to the disk: where they lie, or, all at once, elsewhere.</content>
internal sealed partial class RefcountStore
{
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
}

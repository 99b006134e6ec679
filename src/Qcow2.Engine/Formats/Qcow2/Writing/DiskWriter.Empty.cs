using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <content>Giving up all that a disk holds, so that its backing file shows.</content>
internal sealed partial class DiskWriter
{
    // Clusters that may wait for their counts to go down before these are brought to the disk.
    private const int MaxWaitingDecrements = 1 << 20;

    /// <summary>
    /// Takes every L2 table out of the L1 table. The entries of the L1 table go first, the counts of what they led to when the
    /// disk has lost them: a crash leaves each table's part of the disk as it was or empty.
    /// </summary>
    internal void Empty()
    {
        Begin();
        lock (_gate)
        {
            WaitForWrites();
            _committer.Commit();
            long waiting = 0;
            for (int index = 0; index < _l1.Count; index++)
            {
                waiting += _l1[index].IsUsed ? DropTable(index) : 0;
                if (waiting > MaxWaitingDecrements)
                {
                    _committer.CommitAll();
                    waiting = 0;
                }
            }

            _committer.CommitAll();
            GiveBackSpace();
        }
    }

    /// <summary>Makes the header name another backing file, or none, once all that was written is on the disk.</summary>
    internal void SetBackingFile(BackingReference? reference)
    {
        lock (_gate)
        {
            _committer.ChangeAtOnce(image => BackingReferenceWriter.Write(image, reference));
        }
    }

    /// <returns>Clusters whose counts go down.</returns>
    private long DropTable(int index)
    {
        L1Entry table = _l1[index];
        long start = (long)index << _geometry.L1CoverageBits;
        int count = 1 << _geometry.L2Bits;
        var entries = new List<(L2Entry Entry, long Offset)>();
        for (int i = 0; i < count; i++)
        {
            long offset = start + ((long)i << ClusterBits);
            (L2Entry entry, _) = _map.GetEntry(offset);
            if (entry.IsUsed)
            {
                _ = _map.StateOf(entry, offset); // What is damaged is said before anything is changed.
                entries.Add((entry, offset));
            }
        }

        ChangeMap(() => _l1.Set(index, default));
        _resources.L2Cache.RemoveTable(table.Offset);
        foreach ((L2Entry entry, long offset) in entries)
        {
            if (!entry.IsCompressed && entry.Offset != 0 && !HasDataFile)
            {
                _discarded.Add(entry.Offset >> ClusterBits);
            }

            QueueDecrements(entry, offset);
        }

        _discarded.Add(table.Offset >> ClusterBits);
        QueueDecrement(table.Offset, table.IsCopied);
        return entries.Count + 1;
    }

    private void GiveBackSpace()
    {
        long end = _refcounts.FindFreeEnd();
        if (end < _refcounts.HighWater)
        {
            if (!_resources.Image.HasFixedLength)
            {
                _resources.Image.SetLength(end << ClusterBits);
            }

            _refcounts.NoteEnd(end);
        }

        if (HasDataFile)
        {
            // What a data file holds past its disk is not the disk's.
            _ = _resources.Data.TryPunchHole(0, Math.Min(_disk.Length, _resources.Data.Length));
        }
    }
}

using Qcow2.Engine.Format;

namespace Qcow2.Engine;

/// <content>Changing the size of the disk.</content>
internal sealed partial class DiskWriter
{
    internal void Resize(long size)
    {
        Begin();
        lock (_gate)
        {
            // In-flight writes lie inside the old size; a shrinking disk must not take their clusters away.
            while (_inFlight.Count > 0)
            {
                Monitor.Wait(_gate);
            }

            if (size == _disk.Length)
            {
                return;
            }

            _bitmaps!.PrepareResize(size);
            if (size > _disk.Length)
            {
                Grow(size);
            }
            else
            {
                Shrink(size);
            }

            _bitmaps.Resize();
            _bitmaps.SaveDisabled();
        }
    }

    private void Grow(long size)
    {
        long oldSize = _disk.Length;
        long entries = _geometry.L1EntriesFor(size);
        const long MaxEntries = Qcow2Limits.MaxL1TableBytes / L1Entry.Length;
        if (entries > MaxEntries)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.LimitExceeded,
                $"A disk of {size} bytes is too large for clusters of {ClusterSize} bytes; the limit is {MaxEntries << _geometry.L1CoverageBits} bytes.").At(_disk.Path);
        }

        if (entries > _l1.Count)
        {
            MoveL1((int)entries);
        }

        // What shows up must be zeros: the backing file may be longer than the disk was, and the last cluster may hold
        // anything past its end. All of that is on the disk of the host before the header says that the disk is larger.
        _disk.SetLength(size);
        try
        {
            ZeroRange(oldSize, size - oldSize, keepAllocation: false);
            _committer.Commit();
            _committer.Change(header => header with { Size = size });
            _committer.Commit();
        }
        catch
        {
            _disk.SetLength(oldSize);
            _committer.Change(header => header with { Size = oldSize });
            throw;
        }
    }

    private void Shrink(long size)
    {
        long oldSize = _disk.Length;
        _committer.Change(header => header with { Size = size });
        try
        {
            _committer.Commit();
        }
        catch
        {
            _committer.Change(header => header with { Size = oldSize });
            throw;
        }

        long firstGone = (size + ClusterSize - 1) & ~((long)ClusterSize - 1);
        if (firstGone < oldSize)
        {
            DiscardRange(firstGone, oldSize - firstGone);
        }

        _disk.SetLength(size);
        _committer.Commit();
    }

    private void MoveL1(int count)
    {
        long oldOffset = _l1.Offset;
        long oldClusters = ClustersOf(_l1.Count);
        long offset = _refcounts.Append(ClustersOf(count)) << ClusterBits;
        _guard.SetRange(offset, (long)count * L1Entry.Length, "the active L1 table");
        _l1.Move(offset, count);
        for (long i = 0; i < oldClusters; i++)
        {
            _refcounts.QueueDecrement((oldOffset >> ClusterBits) + i);
        }
    }

    private long ClustersOf(int l1Entries) => Math.Max(1, (((long)l1Entries * L1Entry.Length) + ClusterSize - 1) >> ClusterBits);
}

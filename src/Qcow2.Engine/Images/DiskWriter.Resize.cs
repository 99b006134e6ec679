using Qcow2.Engine.Format;
using Qcow2.Engine.Metadata;

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

            if (size > _disk.Length)
            {
                Grow(size);
            }
            else if (size < _disk.Length)
            {
                Shrink(size);
            }
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
            GrowDataFile(oldSize, size);
            WriteZeroes(oldSize, size - oldSize, keepAllocation: false);
            MapRawDataFile(oldSize);
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
        ClearRestOfCluster(size, Math.Min(firstGone, oldSize));
        if (firstGone < oldSize)
        {
            DiscardClusters(firstGone, oldSize);
        }

        _committer.Commit();
        if (HasDataFile)
        {
            _resources.Data.SetLength(size); // Nothing refers to what is cut off any more.
        }

        _disk.SetLength(size);
    }

    /// <summary>QEMU, when it makes the disk larger again, shows what the last cluster still holds past the end.</summary>
    private void ClearRestOfCluster(long offset, long end)
    {
        while (offset < end)
        {
            ClusterRun run = _map.Find(offset, end - offset);
            if (run.State != ClusterState.Unallocated)
            {
                WriteZeroes(offset, run.Length, keepAllocation: false);
            }

            offset += run.Length;
        }
    }

    /// <summary>An external data file is as long as the disk; what a raw one gains must be zeros by itself.</summary>
    private void GrowDataFile(long oldSize, long size)
    {
        if (!HasDataFile)
        {
            return;
        }

        long foreign = Math.Min(_resources.Data.Length, size) - oldSize;
        if (IsDataFileRaw && foreign > 0)
        {
            WriteZerosToHost(oldSize, foreign);
        }

        if (_resources.Data.Length < size)
        {
            _resources.Data.SetLength(size);
        }
    }

    /// <summary>Every cluster of a raw external data file has its entry, as in a new image.</summary>
    private void MapRawDataFile(long oldSize)
    {
        long offset = (oldSize + ClusterSize - 1) & ~((long)ClusterSize - 1);
        while (IsDataFileRaw && offset < _disk.Length)
        {
            offset += PreallocateRun(offset, Preallocation.Metadata);
            CommitIfMuchIsDirty();
        }
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

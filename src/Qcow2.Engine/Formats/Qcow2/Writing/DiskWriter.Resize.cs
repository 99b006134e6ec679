using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <content>Changing the size of the disk.</content>
internal sealed partial class DiskWriter
{
    // Zeroing goes by entries: in one of these there are millions of the smallest clusters.
    private const long ZeroedStepBytes = 1L << 30;

    internal void Resize(long size, Preallocation preallocation, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        Begin();
        lock (_gate)
        {
            // In-flight writes lie inside the old size; a shrinking disk must not take their clusters away.
            WaitForWrites();

            if (size == _disk.Length)
            {
                return;
            }

            _bitmaps!.PrepareResize(size);
            long oldSize = _disk.Length;
            long oldDataEnd = HasDataFile ? _resources.Data.Length : 0;
            if (size > oldSize)
            {
                Grow(size, oldDataEnd, preallocation, progress, cancellationToken);
            }
            else
            {
                Shrink(size);
            }

            _bitmaps.Resize();
            if (IsDataFileRaw && oldDataEnd > oldSize && size > oldSize)
            {
                Record(oldSize, Math.Min(size, oldDataEnd) - oldSize); // It shows up, as if it had been written.
            }

            _bitmaps.SaveDisabled();
        }
    }

    private void WaitForWrites()
    {
        while (_inFlight.Count > 0)
        {
            Monitor.Wait(_gate);
        }
    }

    private void Grow(long size, long oldDataEnd, Preallocation preallocation, IProgress<long>? progress, CancellationToken cancellationToken)
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
        // A raw data file is the disk, and whoever made it longer by other means wants to see what is there.
        _disk.SetLength(size);
        try
        {
            for (long offset = oldSize; offset < size && !IsDataFileRaw;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                long end = Math.Min(size, (offset / ZeroedStepBytes * ZeroedStepBytes) + ZeroedStepBytes);
                ZeroRange(offset, end - offset, keepAllocation: false);
                offset = end;
            }

            LengthenDataFile(size);
            if (preallocation != Preallocation.Off || IsDataFileRaw)
            {
                // A raw data file's every cluster has its entry, as in a new image.
                Preallocate(FirstToPreallocate(oldSize), oldDataEnd, preallocation, progress, cancellationToken);
            }

            _committer.Commit();
            _committer.Change(header => header with { Size = size });
            _committer.Commit();
        }
        catch
        {
            UndoGrowth(oldSize);
            throw;
        }
    }

    /// <summary>The disk's last cluster may be mapped, too, if only its part past the old end would be used by that.</summary>
    private long FirstToPreallocate(long oldSize)
    {
        long start = oldSize & ~((long)ClusterSize - 1);
        return IsDataFileRaw || ReadsAsZeros(start, oldSize) ? start : start + ClusterSize;
    }

    /// <summary>Gives back what was allocated past the end of the disk, as far as the host lets us.</summary>
    private void UndoGrowth(long oldSize)
    {
        try
        {
            long firstNew = (oldSize + ClusterSize - 1) & ~((long)ClusterSize - 1);
            if (!IsDataFileRaw && firstNew < _disk.Length)
            {
                DiscardClusters(firstNew, _disk.Length);
            }
        }
        catch (IOException)
        {
            // The image is consistent all the same; there are clusters past its end, and the first failure is the one to tell.
        }
        finally
        {
            _disk.SetLength(oldSize);
            _committer.Change(header => header with { Size = oldSize });
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
            _resources.Data.SetLength(size); // Nothing refers to what is cut off any more, and the file is no longer than the disk.
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
                ZeroRange(offset, run.Length, keepAllocation: false);
            }

            offset += run.Length;
        }
    }

    /// <summary>An external data file is as long as the disk.</summary>
    private void LengthenDataFile(long size)
    {
        if (HasDataFile && _resources.Data.Length < size)
        {
            _resources.Data.SetLength(size);
        }
    }

    private void MoveL1(int count)
    {
        long oldOffset = _l1.Offset;
        long oldClusters = _l1.Count == 0 ? 0 : ClustersOf(_l1.Count);
        long offset = _refcounts.Append(ClustersOf(count)) << ClusterBits;
        _guard.SetRange(offset, (long)count * L1Entry.Length, "the active L1 table");
        _l1.Move(offset, count);
        if (oldClusters > 0)
        {
            _refcounts.QueueDecrements(oldOffset, oldClusters << ClusterBits);
        }
    }

    private long ClustersOf(int l1Entries) => Math.Max(1, (((long)l1Entries * L1Entry.Length) + ClusterSize - 1) >> ClusterBits);
}

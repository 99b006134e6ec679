using System.Buffers;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <content>Zeros and discards: whole clusters, or subclusters, by their entries alone.</content>
internal sealed partial class DiskWriter
{
    private const int ZeroPieceBytes = 64 * 1024;

    private bool IsDataFileRaw => HasDataFile && _resources.Header.Has(AutoclearFeatures.RawExternalData);

    internal void WriteZeroes(long offset, long length, bool keepAllocation)
    {
        Begin();
        Record(offset, length);
        ZeroRange(offset, length, keepAllocation);
    }

    private void ZeroRange(long offset, long length, bool keepAllocation)
    {
        long end = offset + length;
        try
        {
            while (offset < end)
            {
                _committer.RequireSound();
                long zeros = AlreadyZero(offset, end);
                offset += zeros > 0 ? zeros : ZeroStep(offset, end, keepAllocation);
            }
        }
        catch (MetadataOverlapException e)
        {
            StopWriting(e);
            throw;
        }
    }

    internal void Discard(long offset, long length)
    {
        Begin();
        Record(offset, length);
        DiscardRange(offset, length);
    }

    private void DiscardRange(long offset, long length)
    {
        if (IsDataFileRaw)
        {
            ZeroRange(offset, length, keepAllocation: true);
            return;
        }

        long mask = ClusterSize - 1;
        long end = offset + length == _disk.Length ? offset + length : (offset + length) & ~mask;
        DiscardClusters((offset + mask) & ~mask, end);
    }

    /// <summary>Gives up the clusters from the start of one to the end of one or of the disk.</summary>
    private void DiscardClusters(long offset, long end)
    {
        long mask = ClusterSize - 1;
        while (offset < end)
        {
            _committer.RequireSound();
            long zerosEnd = offset + AlreadyZero(offset, end);
            if (zerosEnd == end || zerosEnd - offset >= ClusterSize)
            {
                offset = zerosEnd == end ? end : zerosEnd & ~mask;
            }
            else if (TryDiscardCluster(offset))
            {
                offset += ClusterSize;
            }
        }
    }

    /// <summary>Length of the run from an offset that reads as zeros without anything being done.</summary>
    private long AlreadyZero(long offset, long end)
    {
        ClusterRun run = _map.Find(offset, end - offset);
        bool isZero = run.State == ClusterState.ZeroPlain
            || (run.State == ClusterState.Unallocated && offset >= (_disk.Backing?.Length ?? 0));
        return isZero ? run.Length : 0;
    }

    /// <summary>Zeroes up to the end of a cluster.</summary>
    /// <returns>Bytes done; 0 if the caller had better look again.</returns>
    private long ZeroStep(long offset, long end, bool keepAllocation)
    {
        long unit = 1L << _geometry.SubclusterBits;
        long start = offset & ~(unit - 1);
        bool reachesEnd = end >= _disk.Length;
        bool isWhole = start == offset && (offset + unit <= end || reachesEnd);
        bool hasZeroFlag = _resources.Header.Version >= 3;
        if (!isWhole || (!hasZeroFlag && offset < (_disk.Backing?.Length ?? 0)))
        {
            long part = Math.Min(end, start + unit) - offset;
            WriteZeroData(offset, part);
            return part;
        }

        long clusterEnd = (offset & ~((long)ClusterSize - 1)) + ClusterSize;
        long unitsEnd = Math.Min(reachesEnd ? clusterEnd : end & ~(unit - 1), clusterEnd);
        return TryZeroUnits(offset, unitsEnd, keepAllocation) ? Math.Min(unitsEnd, end) - offset : 0;
    }

    private void WriteZeroData(long offset, long length)
    {
        byte[] zeros = ArrayPool<byte>.Shared.Rent(ZeroPieceBytes);
        try
        {
            Array.Clear(zeros, 0, ZeroPieceBytes);
            while (length > 0)
            {
                int count = (int)Math.Min(length, ZeroPieceBytes);
                WriteData(offset, zeros.AsSpan(0, count));
                offset += count;
                length -= count;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(zeros);
        }
    }

    private bool TryZeroUnits(long offset, long end, bool keepAllocation)
    {
        lock (_gate)
        {
            if (MustWaitFor(offset))
            {
                return false;
            }

            EnsureTable(offset);
            (L2Entry entry, SubclusterBitmap bitmap) = _map.GetEntry(offset);
            if (IsDataFileRaw)
            {
                // The data file alone must be the disk, so what the tables call zeros must be zeros there, too.
                WriteZerosToHost(offset, offset, Math.Min(end, _disk.Length) - offset, default);
            }

            if (_geometry.IsExtendedL2)
            {
                return TryZeroSubclusters(offset, end, entry, bitmap, keepAllocation);
            }

            bool hasZeroFlag = _resources.Header.Version >= 3;
            bool hasOwnHost = entry.IsCopied && _map.StateOf(entry, offset) is ClusterState.Data or ClusterState.ZeroAllocated;
            bool keeps = hasZeroFlag && hasOwnHost && (keepAllocation || HasDataFile);
            L2Entry zero = hasZeroFlag
                ? L2Entry.Standard(keeps ? entry.Offset : 0, isCopied: keeps, readsAsZeros: true)
                : L2Entry.Unallocated;
            Replace(offset, entry, zero, default, keeps);
            return true;
        }
    }

    private bool TryZeroSubclusters(long offset, long end, L2Entry entry, SubclusterBitmap bitmap, bool keepAllocation)
    {
        long start = offset & ~((long)ClusterSize - 1);
        int first = (int)((offset - start) >> _geometry.SubclusterBits);
        int count = (int)((end - offset) >> _geometry.SubclusterBits);
        uint zeroed = (uint)(((1UL << count) - 1) << first);
        if (entry.IsCompressed && zeroed != uint.MaxValue)
        {
            // A compressed cluster has no subclusters: it becomes a plain one. The gate is this thread's, so this goes through.
            WriteZeroData(offset, Math.Min(end, _disk.Length) - offset);
            return true;
        }

        uint allocated = entry.IsCompressed ? 0 : bitmap.Allocated & ~zeroed;
        bool hasHost = entry.IsUsed && !entry.IsCompressed;
        bool keeps = hasHost && (HasDataFile || allocated != 0 || (keepAllocation && entry.IsCopied));
        uint zero = entry.IsCompressed ? uint.MaxValue : bitmap.Zero | zeroed;
        Replace(offset, entry, keeps ? entry : L2Entry.Unallocated, new SubclusterBitmap(allocated, zero), keeps);
        return true;
    }

    private bool TryDiscardCluster(long offset)
    {
        lock (_gate)
        {
            if (MustWaitFor(offset))
            {
                return false;
            }

            bool hidesBacking = offset < (_disk.Backing?.Length ?? 0);
            if (hidesBacking && _resources.Header.Version < 3)
            {
                return true; // The backing file would show through, which is worse than keeping the data.
            }

            EnsureTable(offset);
            (L2Entry entry, _) = _map.GetEntry(offset);
            L2Entry gone = hidesBacking && !_geometry.IsExtendedL2 ? L2Entry.Standard(0, isCopied: false, readsAsZeros: true) : L2Entry.Unallocated;
            SubclusterBitmap bitmap = hidesBacking && _geometry.IsExtendedL2 ? new SubclusterBitmap(0, uint.MaxValue) : default;
            Replace(offset, entry, gone, bitmap, keepsHost: false);
            return true;
        }
    }

    private void Replace(long offset, L2Entry old, L2Entry entry, SubclusterBitmap bitmap, bool keepsHost)
    {
        Exchange(offset, old, entry, bitmap, keepsHost);
        CommitIfMuchIsDirty();
    }

    private void Exchange(long offset, L2Entry old, L2Entry entry, SubclusterBitmap bitmap, bool keepsHost)
    {
        ChangeMap(() => _map.SetEntry(offset, entry, bitmap));
        if (!keepsHost)
        {
            if (!entry.IsCompressed && !old.IsCompressed && old.Offset != 0 && !HasDataFile)
            {
                _discarded.Add(old.Offset >> ClusterBits);
            }

            QueueDecrements(old, offset);
        }
    }

    private bool MustWaitFor(long offset)
    {
        if (!_inFlight.Contains(offset >> ClusterBits))
        {
            return false;
        }

        Monitor.Wait(_gate);
        return true;
    }
}

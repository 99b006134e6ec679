using System.Buffers;
using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Reading;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <summary>
/// Writes to an image's active disk. Data in clusters of its own is overwritten where it lies, from many threads at once;
/// what needs new clusters takes turns at planning and publishing, but not at the writing in between.
/// </summary>
internal sealed partial class DiskWriter
{
    private const int MaxRunBytes = 4 << 20;
    private const int MaxEncryptedRunBytes = 1 << 20;
    private const long MaxDirtyBytes = 16L << 20;

    private readonly ImageResources _resources;
    private readonly MappedDisk _disk;
    private readonly ClusterMap _map;
    private readonly L1Table _l1;
    private readonly RefcountStore _refcounts;
    private readonly MetadataGuard _guard;
    private readonly MetadataCommitter _committer;
    private readonly ClusterGeometry _geometry;
    private readonly object _gate = new();
    private readonly object _sectorGate = new();
    private readonly HashSet<long> _inFlight = [];

    internal DiskWriter(
        ImageResources resources,
        MappedDisk disk,
        L1Table l1,
        IReadOnlyList<SnapshotTableEntry> snapshots,
        RefcountStore refcounts,
        MetadataGuard guard,
        MetadataCommitter committer)
    {
        _resources = resources;
        _disk = disk;
        _map = disk.Map;
        _l1 = l1;
        _refcounts = refcounts;
        _guard = guard;
        _committer = committer;
        _geometry = resources.Header.Geometry;
        committer.Freed = OnFreed;
        Snapshots = snapshots;
        ProtectTables();
        _guard.SetRange(Header.SnapshotsOffset, snapshots.Sum(snapshot => (long)snapshot.TotalLength), "the snapshot table");
        _hindering = FindHindering(snapshots);
        AdoptSnapshots(snapshots);
    }

    /// <summary>The header as it is now.</summary>
    internal Qcow2Header Header => _committer.Header;

    private bool IsEncrypted => _resources.Header.EncryptionMethod != EncryptionMethod.None;

    private bool HasDataFile => _resources.Header.Has(IncompatibleFeatures.ExternalDataFile);

    private int ClusterBits => _geometry.ClusterBits;

    private int ClusterSize => _geometry.ClusterSize;

    /// <summary>Writes data; it is on the disk for good after the next <see cref="Flush"/>.</summary>
    internal void Write(long offset, ReadOnlySpan<byte> data)
    {
        Begin();
        Record(offset, data.Length);
        WriteData(offset, data);
    }

    private void WriteData(long offset, ReadOnlySpan<byte> data)
    {
        try
        {
            while (!data.IsEmpty)
            {
                _committer.RequireSound();
                int done = WriteInPlace(offset, data);
                if (done == 0)
                {
                    done = WriteAllocating(offset, data);
                }

                offset += done;
                data = data.Slice(done);
            }
        }
        catch (MetadataOverlapException e)
        {
            StopWriting(e);
            throw;
        }
    }

    /// <summary>Returns when everything that was written before is on the disk.</summary>
    internal void Flush()
    {
        lock (_gate)
        {
            _committer.Commit();
        }
    }

    /// <summary>Flushes and saves the bitmaps, leaving nothing behind that a check would call a leak.</summary>
    internal void Close()
    {
        lock (_gate)
        {
            try
            {
                SaveBitmaps();
            }
            finally
            {
                _committer.CommitAll(); // What the guest wrote does not wait for bitmaps that cannot be saved.
            }
        }
    }

    /// <summary>What the tables say cannot be trusted any more, so nothing is written by it.</summary>
    private void StopWriting(MetadataOverlapException overlap)
    {
        overlap.At(_disk.Path);
        lock (_gate)
        {
            _committer.MarkCorrupt();
        }
    }

    private int WriteInPlace(long offset, ReadOnlySpan<byte> data)
    {
        using ClusterUse use = _resources.UseClusters();
        ClusterRun run = _map.FindInPlace(offset, data.Length);
        if (run.Length == 0)
        {
            return 0;
        }

        ReadOnlySpan<byte> part = data.Slice(0, (int)run.Length);
        CheckOverlap(run.HostOffset, run.Length);
        if (!IsEncrypted)
        {
            _resources.Data.Write(run.HostOffset, part);
            return part.Length;
        }

        WriteEncryptedInPlace(run.HostOffset, offset, part);
        return part.Length;
    }

    /// <summary>Sectors are encrypted whole, so those at the ends are read first, and no two threads may do that at once.</summary>
    private void WriteEncryptedInPlace(long hostOffset, long offset, ReadOnlySpan<byte> data)
    {
        int lead = (int)(offset & (SectorCipher.SectorSize - 1));
        int whole = (lead + data.Length + SectorCipher.SectorSize - 1) & ~(SectorCipher.SectorSize - 1);
        byte[] sectors = ArrayPool<byte>.Shared.Rent(whole);
        try
        {
            Span<byte> span = sectors.AsSpan(0, whole);
            if (whole == data.Length)
            {
                data.CopyTo(span);
                _resources.WriteSectors(hostOffset, offset, span);
                return;
            }

            lock (_sectorGate)
            {
                _resources.ReadData(hostOffset - lead, offset - lead, span);
                data.CopyTo(span.Slice(lead));
                _resources.WriteSectors(hostOffset - lead, offset - lead, span);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(sectors, clearArray: true);
        }
    }

    /// <summary>Writes into clusters, or subclusters, that have no place of their own yet.</summary>
    /// <returns>Bytes written; 0 if the caller had better look again.</returns>
    private int WriteAllocating(long offset, ReadOnlySpan<byte> data)
    {
        WritePlan? plan;
        lock (_gate)
        {
            plan = MakePlan(offset, data.Length);
        }

        if (plan is null)
        {
            return 0;
        }

        try
        {
            WritePlanned(plan, data.Slice(0, (int)plan.DataLength));
        }
        catch
        {
            lock (_gate)
            {
                Abandon(plan);
            }

            throw;
        }

        lock (_gate)
        {
            Publish(plan);
            CommitIfMuchIsDirty();
        }

        return (int)plan.DataLength;
    }

    private void WritePlanned(WritePlan plan, ReadOnlySpan<byte> data)
    {
        long dataEnd = plan.DataOffset + data.Length;

        // An external data file is no longer than the disk, because a raw one is the disk.
        long spanEnd = HasDataFile && !IsEncrypted ? Math.Min(plan.SpanEnd, _disk.Length) : plan.SpanEnd;
        bool mayHaveHoles = plan.IsFresh && !IsEncrypted;
        bool skipHead = plan.DataOffset == plan.SpanStart || (mayHaveHoles && ReadsAsZeros(plan.SpanStart, plan.DataOffset));
        bool skipTail = dataEnd == spanEnd || (mayHaveHoles && ReadsAsZeros(dataEnd, spanEnd));
        if (skipHead && skipTail && !IsEncrypted)
        {
            _resources.Data.Write(plan.ToHost(plan.DataOffset), data);
            return;
        }

        int length = (int)(spanEnd - plan.SpanStart);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            Span<byte> span = buffer.AsSpan(0, length);
            int lead = (int)(plan.DataOffset - plan.SpanStart);
            ReadOld(plan.SpanStart, span.Slice(0, lead));
            data.CopyTo(span.Slice(lead));
            ReadOld(dataEnd, span.Slice(lead + data.Length));
            if (IsEncrypted)
            {
                _resources.WriteSectors(plan.ToHost(plan.SpanStart), plan.SpanStart, span);
            }
            else
            {
                _resources.Data.Write(plan.ToHost(plan.SpanStart), span);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: IsEncrypted);
        }
    }

    /// <summary>What a stretch held before, with zeros past the end of the disk.</summary>
    private void ReadOld(long offset, Span<byte> buffer)
    {
        int inside = (int)Math.Max(0, Math.Min(buffer.Length, _disk.Length - offset));
        if (inside > 0)
        {
            _disk.ReadCore(offset, buffer.Slice(0, inside));
        }

        buffer.Slice(inside).Clear();
    }

    private bool ReadsAsZeros(long start, long end)
    {
        end = Math.Min(end, _disk.Length);
        while (start < end)
        {
            ClusterRun run = _map.Find(start, end - start);
            bool isZero = run.State is ClusterState.ZeroPlain or ClusterState.ZeroAllocated
                || (run.State == ClusterState.Unallocated && start >= (_disk.Backing?.Length ?? 0));
            if (!isZero)
            {
                return false;
            }

            start += run.Length;
        }

        return true;
    }

    /// <summary>Gives the L1 entry of an offset an L2 table that nothing else refers to.</summary>
    private void EnsureTable(long offset)
    {
        int index = _map.L1Index(offset);
        L1Entry entry = _l1[index];
        if (entry.IsUsed && entry.IsCopied)
        {
            return;
        }

        long table = _refcounts.Allocate(1, out _, out _) << ClusterBits;
        try
        {
            _guard.Check(table, ClusterSize);
            _resources.L2Cache.AddTable(table, entry.IsUsed ? entry.Offset : null);
        }
        catch
        {
            _resources.L2Cache.RemoveTable(table);
            _refcounts.Release(table >> ClusterBits, 1);
            throw;
        }

        _guard.Add(table, ClusterSize, "an L2 table");
        ChangeMap(() => _l1.Set(index, new L1Entry(table, isCopied: true)));
        if (entry.IsUsed)
        {
            QueueDecrement(entry.Offset, entry.IsCopied);
        }
    }

    /// <summary>An extended entry is two words, which readers must not see half changed.</summary>
    private void ChangeMap(Action change)
    {
        if (_geometry.IsExtendedL2)
        {
            _resources.Exclusively(change);
        }
        else
        {
            change();
        }
    }

    private void CheckOverlap(long hostOffset, long length)
    {
        if (HasDataFile)
        {
            return;
        }

        _guard.Check(hostOffset, length);
    }

    private void CommitIfMuchIsDirty()
    {
        // What waits to be written cannot leave the cache, so it must not outgrow that either.
        if (_committer.DirtyBytes > MaxDirtyBytes || _resources.L2Cache.DirtyBytes > _resources.L2Cache.CapacityBytes)
        {
            _committer.Commit();
        }
    }
}

using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Snapshots;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <content>Creating, applying, deleting and renaming internal snapshots.</content>
internal sealed partial class DiskWriter
{
    private const string SnapshotL1Name = "a snapshot's L1 table";

    private readonly List<SnapshotTableEntry> _hindering;
    private volatile SnapshotTableEntry? _hindrance;

    /// <summary>The internal snapshots, in the order of their table.</summary>
    internal IReadOnlyList<SnapshotTableEntry> Snapshots { get; private set; }

    /// <summary>Makes the disk's present content a snapshot.</summary>
    /// <param name="describe">Makes everything of its entry but the L1 table, of the disk's size.</param>
    /// <param name="cancellationToken">Ends it; the image stays as it was.</param>
    internal SnapshotTableEntry CreateSnapshot(Func<long, SnapshotTableEntry> describe, CancellationToken cancellationToken)
    {
        SnapshotTableEntry? entry = null;
        ChangeTables(
            () =>
            {
                // What lies past the disk is the VM state of a snapshot that was applied, and no part of this one.
                ulong[] active = _l1.CopyEntries();
                int size = (int)_geometry.L1EntriesFor(_disk.Length);
                return new TableChange
                {
                    ActiveL1 = active,
                    DiskSize = _disk.Length,
                    Added = [active.AsSpan(0, size).ToArray()],
                    NewSnapshotL1Size = size,
                    Snapshots = l1Offset => [.. Snapshots, entry = describe(_disk.Length) with { L1TableOffset = l1Offset, L1Size = size }],
                };
            },
            punchHoles: false,
            cancellationToken);
        return entry!;
    }

    /// <summary>Gives the disk a snapshot's content and size. What it held is gone, unless another snapshot has it.</summary>
    internal void ApplySnapshot(SnapshotTableEntry entry, long diskSize, CancellationToken cancellationToken) => ChangeTables(
        () =>
        {
            // The whole table, with the VM state that lies past the disk: who resumes the VM reads it there.
            ulong[] snapshot = LoadL1(entry);
            ulong[] active = new ulong[Math.Max(_l1.Count, snapshot.Length)];
            snapshot.CopyTo(active, 0);
            return new TableChange
            {
                ActiveL1 = active,
                DiskSize = diskSize,
                Removed = [_l1.CopyEntries()],
                Added = [snapshot],
                Snapshots = _ => Snapshots,
            };
        },
        punchHoles: true,
        cancellationToken);

    /// <summary>Deletes a snapshot and frees what only it referred to.</summary>
    /// <param name="entry">The snapshot.</param>
    /// <param name="retire">Called when it is gone, before anything that it referred to is used again.</param>
    /// <param name="cancellationToken">Ends it; the image stays as it was.</param>
    /// <returns>Why nothing was freed; null if it was.</returns>
    internal string? DeleteSnapshot(SnapshotTableEntry entry, Action retire, CancellationToken cancellationToken)
    {
        string? reason = WhyNotToFree(entry);
        if (reason is null)
        {
            try
            {
                Delete(entry, free: true, retire, cancellationToken);
                return null;
            }
            catch (Qcow2Exception e) when (e is not MetadataOverlapException && e.Code == Qcow2ErrorCode.ImageCorrupt)
            {
                reason = e.Message; // Nothing has changed. What its tables lead to is for a check to find out.
            }
        }

        Delete(entry, free: false, retire, cancellationToken);
        return reason;
    }

    private void Delete(SnapshotTableEntry entry, bool free, Action retire, CancellationToken cancellationToken) => ChangeTables(
        () => new TableChange
        {
            ActiveL1 = _l1.CopyEntries(),
            DiskSize = _disk.Length,
            Removed = free ? [LoadL1(entry)] : [],
            Snapshots = _ => [.. Snapshots.Where(snapshot => !ReferenceEquals(snapshot, entry))],
            Released = !free || entry.L1Size == 0 ? [] : [(entry.L1TableOffset, (long)entry.L1Size * L1Entry.Length)],
        },
        punchHoles: true,
        cancellationToken,
        retire);

    /// <summary>
    /// Why the references of a snapshot must not be taken back: its L1 table is not where one can be, or is somebody else's, whose
    /// references they would be.
    /// </summary>
    private string? WhyNotToFree(SnapshotTableEntry entry)
    {
        long length = LengthOfL1(entry);
        if (length == 0)
        {
            return null;
        }

        if (!entry.HasL1Place(_geometry) || entry.L1TableOffset > _resources.Image.Length - length)
        {
            return entry.Problem ?? $"{entry.L1TableName} is not in the file.";
        }

        if (_guard.Find(entry.L1TableOffset, length, SnapshotL1Name) is (long at, string taken))
        {
            return $"At 0x{at:x}, where its L1 table should lie, {taken} lies.";
        }

        long end = entry.L1TableOffset + length;
        int owners = Snapshots.Count(other => other.HasL1Place(_geometry)
            && other.L1TableOffset < end && entry.L1TableOffset < other.L1TableOffset + LengthOfL1(other));
        for (long cluster = entry.L1TableOffset >> ClusterBits; cluster <= (end - 1) >> ClusterBits; cluster++)
        {
            if (_refcounts.Get(cluster) != (ulong)owners)
            {
                return $"The refcount of its L1 table at 0x{cluster << ClusterBits:x} is not the number of snapshots that use it.";
            }
        }

        return null;
    }

    /// <summary>Exchanges the snapshot table for one with the same snapshots otherwise described.</summary>
    internal void DescribeSnapshots(IReadOnlyList<SnapshotTableEntry> snapshots)
    {
        Begin();
        lock (_gate)
        {
            _committer.CommitAll();
            IReadOnlyList<(long Offset, long Length)> old = SnapshotTablePlace();
            byte[] table = SnapshotTable.ToBytes(snapshots);
            long clusters = (table.Length + ClusterSize - 1) >> ClusterBits;
            long first = _refcounts.AllocateTogether(clusters);
            try
            {
                WriteGuarded(() => _guard.Check(first << ClusterBits, table.Length));
                _resources.Image.Write(first << ClusterBits, table);
                _committer.Commit();
                _committer.SwitchTables(_committer.Header with { SnapshotsOffset = first << ClusterBits });
            }
            catch
            {
                _refcounts.Release(first, clusters);
                throw;
            }

            foreach ((long offset, long length) in old)
            {
                _refcounts.QueueDecrements(offset, length);
            }

            AdoptSnapshots(snapshots);
            TidyUp();
        }
    }

    private void ChangeTables(Func<TableChange> prepare, bool punchHoles, CancellationToken cancellationToken, Action? retire = null)
    {
        Begin(isRemoval: retire is not null);
        lock (_gate)
        {
            WaitForWrites();
            _committer.CommitAll();
            _compressedEnd = 0; // What it lies in may be shared from now on, or free.
            TableChange change = prepare();
            change = change with { Released = [.. change.Released, .. SnapshotTablePlace()] };
            using var tables = new TableSwitch(_resources.Image, _committer, _guard, _refcounts, _l1, change, cancellationToken);
            WriteGuarded(tables.Write);

            // Nobody reads by the old tables, or writes into clusters of theirs, while the new ones take over.
            _resources.Exclusively(() =>
            {
                tables.Switch();
                retire?.Invoke();
                _l1.Adopt(_committer.Header.L1TableOffset, tables.ActiveL1);
                _resources.L2Cache.Clear();
                _disk.SetLength(change.DiskSize);
            });
            AdoptSnapshots(tables.Snapshots);
            OnTablesFreed(tables.Freed, punchHoles);
            TidyUp();
        }
    }

    /// <summary>Stops all writing where the refcounts turn out to be wrong.</summary>
    private void WriteGuarded(Action write)
    {
        try
        {
            write();
        }
        catch (MetadataOverlapException e)
        {
            StopWriting(e);
            throw;
        }
    }

    /// <summary>Frees what the change gave up. The change itself is done, so what fails here is left to the next commit.</summary>
    private void TidyUp()
    {
        try
        {
            _committer.CommitAll();
        }
        catch (IOException e) when (e is not Qcow2Exception)
        {
            // It is still to be written, and whoever flushes or closes the image is told if that fails again.
        }
    }

    private IReadOnlyList<(long Offset, long Length)> SnapshotTablePlace()
        => Snapshots.Count == 0 ? [] : [(Header.SnapshotsOffset, Snapshots.Sum(snapshot => (long)snapshot.TotalLength))];

    private void OnTablesFreed(IReadOnlyList<(long First, long End)> freed, bool punchHoles)
    {
        _guard.Remove(freed);
        ProtectTables();
        if (freed.Count > 0)
        {
            _refcounts.NoteFree(freed[0].First);
        }

        try
        {
            foreach ((long first, long end) in punchHoles ? freed : [])
            {
                PunchHole(first, end);
            }
        }
        catch (IOException e) when (e is not Qcow2Exception)
        {
            // The change is done. The clusters are free all the same, and take their space until they are used again.
        }
    }

    private void ProtectTables()
    {
        _guard.SetRange(_l1.Offset, (long)_l1.Count * L1Entry.Length, "the active L1 table");
        for (int i = 0; i < _l1.Count; i++)
        {
            if (_l1[i].IsUsed)
            {
                _guard.Add(_l1[i].Offset, ClusterSize, "an L2 table");
            }
        }

        foreach ((long offset, long length) in _refcounts.MetadataRanges())
        {
            _guard.Add(offset, length, "the refcount structure");
        }
    }

    private void AdoptSnapshots(IReadOnlyList<SnapshotTableEntry> snapshots)
    {
        Snapshots = snapshots;
        _hindrance = snapshots.FirstOrDefault(_hindering.Contains);
        _guard.AddRanges(
            snapshots.Where(snapshot => snapshot.HasL1Place(_geometry) && !_hindering.Contains(snapshot)).Select(snapshot => (snapshot.L1TableOffset, LengthOfL1(snapshot))),
            SnapshotL1Name);
        _guard.SetRange(Header.SnapshotsOffset, snapshots.Sum(snapshot => (long)snapshot.TotalLength), "the snapshot table");
    }

    /// <summary>
    /// Snapshots whose L1 table is said to lie where nothing of theirs is: past the end of the file, or where other metadata lies. What
    /// is written there, or moves there later, would be taken for the table.
    /// </summary>
    private List<SnapshotTableEntry> FindHindering(IReadOnlyList<SnapshotTableEntry> snapshots)
    {
        long end = (_resources.Image.Length + ClusterSize - 1) & ~(ClusterSize - 1L);
        return [.. snapshots.Where(snapshot => snapshot.L1Size > 0 && snapshot.HasL1Place(_geometry)
            && (snapshot.L1TableOffset + LengthOfL1(snapshot) > end || _guard.Find(snapshot.L1TableOffset, LengthOfL1(snapshot)) is not null))];
    }

    private static long LengthOfL1(SnapshotTableEntry snapshot) => (long)snapshot.L1Size * L1Entry.Length;

    private ulong[] LoadL1(SnapshotTableEntry entry)
        => L1Table.Load(_resources.Image, entry.L1TableOffset, entry.L1Size, $"The L1 table of snapshot '{PrintableText.Of(entry.Id)}'").CopyEntries();
}

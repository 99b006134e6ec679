using System.Buffers;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Snapshots;

/// <summary>
/// Exchanges all tables of an image at once. What changes is written elsewhere: L2 tables whose COPIED flags change, L1
/// tables, the snapshot table, refcount blocks and the refcount table. Then one sector of the header points to all of that.
/// </summary>
/// <remarks>
/// Refcounts and COPIED flags depend on each other, and no two of them can be written at once: whoever changes them where they
/// lie passes through states in which a flag says "mine alone" of a cluster that is shared. Here a crash leaves the old
/// tables or the new ones, and leaked clusters at most.
/// </remarks>
internal sealed class TableSwitch : IDisposable
{
    private readonly BlockStorage _image;
    private readonly MetadataCommitter _committer;
    private readonly MetadataGuard _guard;
    private readonly RefcountStore _refcounts;
    private readonly ClusterTree _tree;
    private readonly ShadowRefcounts _shadow;
    private readonly TableChange _change;
    private readonly HashSet<long> _activeTables;
    private readonly ulong[] _activeL1;
    private readonly ulong[] _table;
    private readonly List<(long Cluster, long Count)> _allocated = [];
    private readonly CancellationToken _cancellationToken;
    private NewTables? _new;

    /// <summary>Prepares a change of an image that has nothing left to commit.</summary>
    internal TableSwitch(
        BlockStorage image,
        MetadataCommitter committer,
        MetadataGuard guard,
        RefcountStore refcounts,
        L1Table active,
        TableChange change,
        CancellationToken cancellationToken)
    {
        _image = image;
        _committer = committer;
        _guard = guard;
        _refcounts = refcounts;
        _change = change;
        _cancellationToken = cancellationToken;
        Qcow2Header header = committer.Header;
        _tree = new ClusterTree(image, header.Geometry);
        _activeTables = [.. active.CopyEntries().Select(entry => new L1Entry(entry).Offset)];
        _activeL1 = (ulong[])change.ActiveL1.Clone();
        _table = new ulong[_tree.WordsPerTable];
        _shadow = new ShadowRefcounts(refcounts, header);
        _allocated.AddRange(change.Provisional.Concat(change.Placed));
    }

    /// <summary>The snapshot table as it is now.</summary>
    internal IReadOnlyList<SnapshotTableEntry> Snapshots { get; private set; } = [];

    /// <summary>Runs of clusters that nothing refers to any more.</summary>
    internal IReadOnlyList<(long First, long End)> Freed { get; private set; } = [];

    private Qcow2Header Header => _committer.Header;

    private int ClusterBits => Header.ClusterBits;

    /// <summary>The new active L1 table.</summary>
    internal ulong[] ActiveL1 => _activeL1;

    /// <summary>Writes the new tables, to which nothing refers yet.</summary>
    /// <exception cref="MetadataOverlapException">What the refcounts say is free holds metadata. Nothing has changed.</exception>
    /// <exception cref="Qcow2Exception">The image's tables are damaged, or a limit is passed. Nothing has changed.</exception>
    /// <exception cref="IOException">The host could not write. Nothing has changed.</exception>
    internal void Write()
    {
        try
        {
            CountReferences();
            RewriteL2Tables();
            _new = WriteTables();
            Freed = _shadow.Freed(); // Now: reading could fail, and after the switch nothing may.
        }
        catch
        {
            TakeBack();
            throw;
        }
    }

    /// <summary>Lets the header point to the new tables.</summary>
    /// <exception cref="IOException">The host could not write. The old tables hold.</exception>
    internal void Switch()
    {
        NewTables tables = _new!;
        try
        {
            _committer.SwitchTables(tables.Header);
        }
        catch
        {
            TakeBack();
            throw;
        }

        _refcounts.Changed = null;
        List<(long Offset, long Length)> released = [.. _change.Released, .. OldTables(tables.OldHeader)];
        _refcounts.Adopt(tables.Header.RefcountTableOffset, tables.RefcountTable, _shadow.Blocks);
        foreach ((long offset, long length) in released)
        {
            _refcounts.QueueDecrements(offset, length);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _shadow.Dispose();

    /// <summary>The tables whose places others took. An L1 table without entries has none, whatever the header says of it.</summary>
    private IEnumerable<(long Offset, long Length)> OldTables(Qcow2Header old)
    {
        if (old.L1Size != 0)
        {
            yield return (old.L1TableOffset, BytesOf(old.L1Size));
        }

        yield return (_refcounts.TableOffset, (long)_refcounts.TableClusters << ClusterBits);
        foreach (long index in _shadow.Blocks.Keys)
        {
            yield return (_refcounts.BlockOffset(index), old.ClusterSize);
        }
    }

    private void CountReferences()
    {
        // Going down first, or a count could pass its width on the way to a value that does not.
        foreach (ulong[] removed in _change.Removed)
        {
            _tree.Visit(removed, _shadow.Decrement, _cancellationToken);
        }

        foreach ((long first, long count) in _change.Provisional)
        {
            for (long cluster = first; cluster < first + count; cluster++)
            {
                _shadow.Decrement(cluster);
            }
        }

        foreach (ulong[] added in _change.Added)
        {
            _tree.Visit(added, _shadow.Increment, _cancellationToken);
        }
    }

    /// <summary>
    /// Makes the COPIED flags of the active tables true. A table that is active now is copied; one that is about to become
    /// active is changed where it lies, for the flags of other tables mean nothing (spec: "Cluster mapping").
    /// </summary>
    private void RewriteL2Tables()
    {
        for (int i = 0; i < _activeL1.Length; i++)
        {
            long table = new L1Entry(_activeL1[i]).Offset;
            if (table == 0)
            {
                continue;
            }

            _cancellationToken.ThrowIfCancellationRequested();
            _tree.Read(table, _table);
            if (_tree.SetCopied(_table, _shadow.Get))
            {
                long place = _activeTables.Contains(table) ? CopyOf(table, isShared: i < _change.NewSnapshotL1Size) : table;
                BigEndianTable.Write(_image, place, _table);
                table = place;
            }

            _activeL1[i] = new L1Entry(table, _shadow.Get(table >> ClusterBits) == 1).Value;
        }
    }

    /// <summary>Finds a place for a copy of an L2 table, to which the references to the table go over.</summary>
    private long CopyOf(long table, bool isShared)
    {
        long copy = Allocate(1);
        _shadow.Decrement(table >> ClusterBits);
        if (isShared)
        {
            _shadow.Increment(copy >> ClusterBits);
            _shadow.Decrement(table >> ClusterBits);
        }

        return copy;
    }

    private NewTables WriteTables()
    {
        long l1Offset = _activeL1.Length == 0 ? 0 : Allocate(BytesOf(_activeL1.Length));
        long snapshotL1 = 0;
        if (_change.NewSnapshotL1Size > 0)
        {
            snapshotL1 = Allocate(BytesOf(_change.NewSnapshotL1Size));
            BigEndianTable.Write(_image, snapshotL1, _activeL1.AsSpan(0, _change.NewSnapshotL1Size));
        }

        BigEndianTable.Write(_image, l1Offset, _activeL1);
        Snapshots = _change.Snapshots(snapshotL1);
        byte[] snapshotTable = SnapshotTable.ToBytes(Snapshots);
        long snapshotsOffset = snapshotTable.Length == 0 ? 0 : Allocate(snapshotTable.Length);
        if (snapshotTable.Length > 0)
        {
            _image.Write(snapshotsOffset, snapshotTable);
        }

        (long refcountTableOffset, ulong[] refcountTable) = WriteRefcounts();
        return new NewTables(
            Header,
            Header with
            {
                Size = _change.DiskSize,
                L1Size = _activeL1.Length,
                L1TableOffset = l1Offset,
                RefcountTableOffset = refcountTableOffset,
                SnapshotCount = Snapshots.Count,
                SnapshotsOffset = snapshotsOffset,
            },
            refcountTable);
    }

    private (long Offset, ulong[] Table) WriteRefcounts()
    {
        Dictionary<long, long> places = _shadow.Blocks.Keys.OrderBy(index => index).ToDictionary(index => index, _ => Allocate(1));
        int clusters;
        long offset;
        do
        {
            clusters = _refcounts.TableClusters;
            offset = Allocate((long)clusters << ClusterBits);
        }
        while (_refcounts.TableClusters > clusters); // The table grew by being given a place.

        // What was allocated is counted in the blocks that stay, too.
        _committer.Commit();
        ulong[] table = _refcounts.TableWith(places);
        foreach (KeyValuePair<long, byte[]> block in _shadow.Blocks)
        {
            _image.Write(places[block.Key], block.Value);
        }

        BigEndianTable.Write(_image, offset, table);
        _image.Flush();
        return (offset, table);
    }

    private long Allocate(long bytes)
    {
        long count = Math.Max(1, (bytes + Header.ClusterSize - 1) >> ClusterBits);
        long cluster = _refcounts.AllocateTogether(count);
        _allocated.Add((cluster, count));
        _guard.Check(cluster << ClusterBits, count << ClusterBits);
        return cluster << ClusterBits;
    }

    private void TakeBack()
    {
        _refcounts.Changed = null;
        foreach ((long cluster, long count) in _allocated)
        {
            _refcounts.Release(cluster, count);
        }
    }

    private static long BytesOf(int l1Entries) => (long)l1Entries * L1Entry.Length;

    private sealed record NewTables(Qcow2Header OldHeader, Qcow2Header Header, ulong[] RefcountTable);
}

using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Reading;
using Qcow2.Engine.Formats.Qcow2.Snapshots;

namespace Qcow2.Engine.Formats.Qcow2.Amending;

/// <summary>
/// Makes of clusters that are said to read as zeros such as version 2 knows: unallocated ones where no backing file shows through, else
/// clusters full of zeros. In the active disk and in the snapshots; a table that several of them share is still shared afterwards.
/// </summary>
/// <remarks>Tables with such entries are written elsewhere, for one switch of all tables; clusters are filled while their entry still hides them.</remarks>
internal sealed class ZeroExpansion(
    ImageResources resources,
    MetadataGuard guard,
    RefcountStore refcounts,
    ClusterGeometry geometry,
    AmendProgress progress,
    CancellationToken cancellationToken)
{
    private readonly ClusterTree _tree = new(resources.Image, geometry);
    private readonly Dictionary<long, Table> _tables = [];
    private readonly List<(long Cluster, long Count)> _provisional = [];
    private readonly List<(long Cluster, long Count)> _placed = [];
    private readonly byte[] _zeros = new byte[geometry.ClusterSize];

    private bool IsEncrypted => resources.Header.EncryptionMethod != EncryptionMethod.None;

    private bool HasBacking => resources.Header.BackingFile is not null;

    /// <summary>Whether any table has an entry that is to be changed.</summary>
    internal bool IsNeeded => _tables.Values.Any(table => table.HasZeros);

    /// <summary>Whether any table has a compressed cluster.</summary>
    internal bool HasCompressed => _tables.Values.Any(table => table.HasCompressed);

    /// <summary>Whether a cluster of zeros has to be written.</summary>
    internal bool Writes => _tables.Values.Any(table => table.HasZeros && (HasBacking || table.HasAllocatedZeros));

    /// <summary>Looks at every table, and writes nothing.</summary>
    /// <param name="trees">The active L1 table and those of the snapshots.</param>
    internal void Scan(IReadOnlyList<ulong[]> trees)
    {
        ulong[] words = new ulong[_tree.WordsPerTable];
        for (int i = 0; i < trees.Count; i++)
        {
            for (int index = 0; index < trees[i].Length; index++)
            {
                var entry = new L1Entry(trees[i][index]);
                if (!entry.IsUsed)
                {
                    continue;
                }

                if (!_tables.TryGetValue(entry.Offset, out Table? table))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    _tree.Read(entry.Offset, words);
                    _tables.Add(entry.Offset, table = Table.Of(words, index));
                }

                table.References++;
            }

            progress.Report(i + 1, 2L * trees.Count);
        }
    }

    /// <summary>Writes the new tables and clusters, to which nothing refers yet.</summary>
    /// <param name="active">The active L1 table.</param>
    /// <param name="snapshots">The snapshots, with their L1 tables.</param>
    /// <param name="diskSize">Size of the disk, in bytes.</param>
    internal TableChange Write(ulong[] active, IReadOnlyList<(SnapshotTableEntry Entry, ulong[] L1)> snapshots, long diskSize)
    {
        try
        {
            WriteTables();
            var removed = new List<ulong[]> { Changed(active, isNew: false) };
            var added = new List<ulong[]> { Changed(active, isNew: true) };
            var entries = new List<SnapshotTableEntry>();
            var released = new List<(long, long)>();
            foreach ((SnapshotTableEntry entry, ulong[] l1) in snapshots)
            {
                if (!l1.Any(IsChanged))
                {
                    entries.Add(entry);
                    continue;
                }

                removed.Add(Changed(l1, isNew: false));
                added.Add(Changed(l1, isNew: true));
                released.Add((entry.L1TableOffset, (long)entry.L1Size * L1Entry.Length));
                entries.Add(entry with { L1TableOffset = WriteL1(l1) });
            }

            return new TableChange
            {
                ActiveL1 = Renewed(active),
                DiskSize = diskSize,
                Removed = removed,
                Added = added,
                Provisional = _provisional,
                Placed = _placed,
                Snapshots = _ => entries,
                Released = released,
            };
        }
        catch
        {
            foreach ((long cluster, long count) in _provisional.Concat(_placed))
            {
                refcounts.Release(cluster, count);
            }

            throw;
        }
    }

    private void WriteTables()
    {
        ulong[] words = new ulong[_tree.WordsPerTable];
        long done = 0;
        foreach (KeyValuePair<long, Table> pair in _tables.Where(pair => pair.Value.HasZeros))
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress.Report(_tables.Count + done++, 2L * _tables.Count);
            _tree.Read(pair.Key, words);
            ExpandEntries(pair.Value, words);
            pair.Value.NewOffset = Allocate(1, _provisional, out _) << geometry.ClusterBits;
            BigEndianTable.Write(resources.Image, pair.Value.NewOffset, words);
        }
    }

    private void ExpandEntries(Table table, ulong[] words)
    {
        for (int i = 0; i < words.Length; i++)
        {
            var entry = new L2Entry(words[i]);
            if (!entry.IsZero)
            {
                continue;
            }

            long guest = ((long)table.L1Index << geometry.L1CoverageBits) + ((long)i << geometry.ClusterBits);
            if (entry.Offset != 0 && IsOwn(entry.Offset, table))
            {
                guard.Check(entry.Offset, geometry.ClusterSize);
                WriteZeros(entry.Offset, guest);
                words[i] = L2Entry.Standard(entry.Offset, isCopied: false).Value;
            }
            else if (HasBacking)
            {
                cancellationToken.ThrowIfCancellationRequested();
                long place = Allocate(1, _provisional, out bool isFresh) << geometry.ClusterBits;
                if (!isFresh || IsEncrypted)
                {
                    WriteZeros(place, guest);
                }

                words[i] = L2Entry.Standard(place, isCopied: false).Value;
            }
            else
            {
                words[i] = 0;
            }
        }
    }

    /// <summary>Whether nothing but this table refers to a cluster. Another one may show what lies there.</summary>
    private bool IsOwn(long offset, Table table)
        => geometry.IsClusterAligned(offset)
            ? refcounts.Get(offset >> geometry.ClusterBits) == table.References
            : throw Qcow2Errors.Misaligned("The host offset of a guest cluster", (ulong)offset, geometry.ClusterSize);

    private void WriteZeros(long offset, long guest)
    {
        if (!IsEncrypted)
        {
            resources.Data.Write(offset, _zeros);
            return;
        }

        Array.Clear(_zeros, 0, _zeros.Length);
        resources.WriteSectors(offset, guest, _zeros);
        Array.Clear(_zeros, 0, _zeros.Length);
    }

    private long WriteL1(ulong[] l1)
    {
        long bytes = (long)l1.Length * L1Entry.Length;
        long place = Allocate((bytes + geometry.ClusterSize - 1) >> geometry.ClusterBits, _placed, out _) << geometry.ClusterBits;
        BigEndianTable.Write(resources.Image, place, Renewed(l1));
        return place;
    }

    private long Allocate(long count, List<(long Cluster, long Count)> list, out bool isFresh)
    {
        isFresh = false;
        long cluster = count == 1 ? refcounts.Allocate(1, out _, out isFresh) : refcounts.AllocateTogether(count);
        list.Add((cluster, count));
        guard.Check(cluster << geometry.ClusterBits, count << geometry.ClusterBits);
        return cluster;
    }

    private bool IsChanged(ulong value) => new L1Entry(value).IsUsed && _tables[new L1Entry(value).Offset].HasZeros;

    /// <summary>Of an L1 table only the entries that change, as they were or as they are to be.</summary>
    private ulong[] Changed(ulong[] l1, bool isNew)
        => [.. l1.Select(value => !IsChanged(value) ? 0 : isNew ? NewEntry(value) : value)];

    private ulong[] Renewed(ulong[] l1) => [.. l1.Select(value => IsChanged(value) ? NewEntry(value) : value)];

    private ulong NewEntry(ulong value) => new L1Entry(_tables[new L1Entry(value).Offset].NewOffset, isCopied: false).Value;

    private sealed class Table
    {
        internal int L1Index { get; private init; }

        internal bool HasZeros { get; private set; }

        internal bool HasAllocatedZeros { get; private set; }

        internal bool HasCompressed { get; private set; }

        /// <summary>L1 entries that lead to the table.</summary>
        internal ulong References { get; set; }

        internal long NewOffset { get; set; }

        internal static Table Of(ulong[] words, int l1Index)
        {
            var table = new Table { L1Index = l1Index };
            foreach (ulong word in words)
            {
                var entry = new L2Entry(word);
                table.HasCompressed |= entry.IsCompressed;
                table.HasZeros |= entry.IsZero;
                table.HasAllocatedZeros |= entry.IsZero && entry.Offset != 0;
            }

            return table;
        }
    }
}

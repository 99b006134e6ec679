using System.Buffers;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <summary>
/// The host clusters that one L1 table leads to: its L2 tables, and what their entries refer to (spec: "Cluster mapping").
/// Reads the tables from the file, a table at a time, and not through the cache, whose content they would only drive out.
/// </summary>
/// <remarks>Not for images with an external data file, whose guest clusters have no refcounts.</remarks>
internal sealed class ClusterTree(BlockStorage image, ClusterGeometry geometry)
{
    /// <summary>L2 entries' words in one table: one for each standard entry, two for each extended one.</summary>
    internal int WordsPerTable => geometry.ClusterSize / sizeof(ulong);

    private int WordsPerEntry => geometry.L2EntryLength / sizeof(ulong);

    /// <summary>Passes every reference of a tree, as host clusters: each as often as it is referred to.</summary>
    /// <param name="l1">The L1 table's entries.</param>
    /// <param name="visit">Told of each host cluster.</param>
    /// <param name="cancellationToken">Ends it between two tables.</param>
    /// <exception cref="Qcow2Exception">A table lies outside the file, or an entry is misaligned.</exception>
    internal void Visit(ulong[] l1, Action<long> visit, CancellationToken cancellationToken)
    {
        ulong[] table = ArrayPool<ulong>.Shared.Rent(WordsPerTable);
        try
        {
            foreach (ulong value in l1)
            {
                var entry = new L1Entry(value);
                if (entry.IsUsed)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    Read(entry.Offset, table);
                    visit(entry.Offset >> geometry.ClusterBits);
                    VisitTable(table, visit);
                }
            }
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(table);
        }
    }

    /// <summary>Makes the COPIED flag of every entry of a table say whether the refcount of its cluster is one.</summary>
    /// <param name="table">The table's words; changed.</param>
    /// <param name="refcount">The refcount of a host cluster.</param>
    /// <returns>Whether any flag changed.</returns>
    internal bool SetCopied(ulong[] table, Func<long, ulong> refcount)
    {
        bool hasChanged = false;
        for (int i = NextUsed(table, 0); i < WordsPerTable; i = NextUsed(table, i + WordsPerEntry))
        {
            var entry = new L2Entry(table[i]);
            bool isCopied = !entry.IsCompressed && entry.Offset != 0 && refcount(entry.Offset >> geometry.ClusterBits) == 1;
            if (isCopied != entry.IsCopied)
            {
                table[i] = entry.Value ^ L2Entry.CopiedFlag;
                hasChanged = true;
            }
        }

        return hasChanged;
    }

    /// <summary>Reads a whole L2 table.</summary>
    /// <exception cref="Qcow2Exception">It does not lie inside the file.</exception>
    internal void Read(long offset, ulong[] table)
    {
        long fileLength = image.Length;
        if (!geometry.IsClusterAligned(offset))
        {
            throw Qcow2Errors.Misaligned("The offset of an L2 table", (ulong)offset, geometry.ClusterSize);
        }

        if (offset > fileLength - geometry.ClusterSize)
        {
            throw Qcow2Errors.PastEnd("An L2 table", (ulong)offset, (ulong)geometry.ClusterSize, fileLength);
        }

        BigEndianTable.Read(image, offset, table.AsSpan(0, WordsPerTable));
    }

    private void VisitTable(ulong[] table, Action<long> visit)
    {
        for (int i = NextUsed(table, 0); i < WordsPerTable; i = NextUsed(table, i + WordsPerEntry))
        {
            var entry = new L2Entry(table[i]);
            if (entry.IsCompressed)
            {
                CompressedClusterDescriptor compressed = entry.CompressedCluster(geometry.ClusterBits);
                long last = (compressed.HostOffset + compressed.Length - 1) >> geometry.ClusterBits;
                for (long cluster = compressed.HostOffset >> geometry.ClusterBits; cluster <= last; cluster++)
                {
                    visit(cluster);
                }
            }
            else if (entry.Offset != 0)
            {
                if (!geometry.IsClusterAligned(entry.Offset))
                {
                    throw Qcow2Errors.Misaligned("The host offset of a guest cluster", (ulong)entry.Offset, geometry.ClusterSize);
                }

                visit(entry.Offset >> geometry.ClusterBits);
            }
        }
    }

    /// <summary>Index of the next entry that is not zero; unused stretches are passed at the speed of memory.</summary>
    private int NextUsed(ulong[] table, int index)
    {
        index += SpanSearch.CountLeadingZeroWords(table.AsSpan(index, WordsPerTable - index));
        return WordsPerEntry == 1 ? index : index & ~1; // The second word of an extended entry may be the first that is not zero.
    }
}

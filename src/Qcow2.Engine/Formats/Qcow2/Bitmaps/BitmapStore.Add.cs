using System.Buffers;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;

namespace Qcow2.Engine.Formats.Qcow2.Bitmaps;

/// <content>Bitmaps that come with their bits.</content>
internal sealed partial class BitmapStore
{
    /// <summary>Adds copies of bitmaps of another disk of the same size: all of them, or none.</summary>
    /// <param name="originals">Their entries in the other directory.</param>
    /// <param name="open">Opens the bits of one.</param>
    /// <param name="cancellationToken">Stops the copying; nothing has changed then.</param>
    internal void Add(
        IReadOnlyList<BitmapDirectoryEntry> originals, Func<BitmapDirectoryEntry, BitmapContent> open, CancellationToken cancellationToken)
    {
        RequireKnownDirectory();
        RequireRoomFor(originals);
        var taken = new List<(long Offset, long Clusters)>();
        byte[] cluster = ArrayPool<byte>.Shared.Rent(Header.ClusterSize);
        try
        {
            List<StoredBitmap> bitmaps = [.. _bitmaps];
            foreach (BitmapDirectoryEntry original in originals)
            {
                bitmaps.Add(Copy(original, open(original), cluster.AsSpan(0, Header.ClusterSize), taken, cancellationToken));
            }

            ReplaceDirectory(bitmaps);
        }
        catch when (!_isDirectoryUnknown)
        {
            foreach ((long offset, long clusters) in taken)
            {
                Release(offset, clusters);
            }

            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(cluster);
        }

        RefreshRecording();
    }

    private StoredBitmap Copy(
        BitmapDirectoryEntry original, BitmapContent content, Span<byte> cluster, List<(long Offset, long Clusters)> taken, CancellationToken cancellationToken)
    {
        ulong[] table = new ulong[TableSizeOf(original)];
        long bits = DirtyBitmap.CountFor(Header.Size, original.GranularityBits);
        long bytes = (bits + 7) / 8;
        for (int page = 0; page < table.Length; page++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            long start = (long)page << Header.ClusterBits;
            Span<byte> part = cluster.Slice(0, (int)Math.Min(cluster.Length, bytes - start));
            if (content.IsKnownZero(start, part.Length))
            {
                continue;
            }

            content.Read(start, part);
            cluster.Slice(part.Length).Clear();
            if (SpanSearch.IsAllOnes(cluster))
            {
                table[page] = 1;
            }
            else if (!SpanSearch.IsAllZero(cluster))
            {
                long offset = WriteNewCluster(cluster);
                Note(taken, offset);
                table[page] = (ulong)offset;
            }
        }

        long clusters = ClustersOf(table.Length);
        long tableOffset = AllocateRun(clusters, "a bitmap table");
        taken.Add((tableOffset, clusters));
        BigEndianTable.Write(_image, tableOffset, table);
        BitmapDirectoryEntry entry = original with { TableOffset = tableOffset, TableSize = table.Length };
        return new StoredBitmap(0, entry) { Bits = entry.Flags.HasFlag(BitmapFlags.Auto) ? Open(entry, table) : null };
    }

    /// <summary>Joins clusters that lie next to each other, as new ones do, so that the list stays short.</summary>
    private void Note(List<(long Offset, long Clusters)> taken, long offset)
    {
        if (taken.Count > 0 && taken[taken.Count - 1] is var last && last.Offset + (last.Clusters << Header.ClusterBits) == offset)
        {
            taken[taken.Count - 1] = (last.Offset, last.Clusters + 1);
        }
        else
        {
            taken.Add((offset, 1));
        }
    }

    private void RequireRoomFor(IReadOnlyList<BitmapDirectoryEntry> originals)
    {
        RequireVersion();
        var names = new HashSet<string>(_bitmaps.Select(bitmap => bitmap.Entry.Name), StringComparer.Ordinal);
        long tableBytes = _bitmaps.Sum(bitmap => (long)bitmap.Entry.TableSize * BitmapTableEntry.Length);
        foreach (BitmapDirectoryEntry original in originals)
        {
            if (!names.Add(original.Name))
            {
                throw Exists(original.Name);
            }

            long tableSize = TableSizeOf(original);
            RequireDataSize(tableSize, original.GranularityBits);
            tableBytes += tableSize * BitmapTableEntry.Length;
        }

        if (names.Count > Qcow2Limits.MaxBitmaps)
        {
            throw TooMany(names.Count);
        }

        if (tableBytes > BitmapTables.MaxBytes)
        {
            throw BitmapTables.TooLarge(tableBytes);
        }
    }

    private long TableSizeOf(BitmapDirectoryEntry entry) => DirtyBitmap.TableSizeFor(Header.Size, entry.GranularityBits, Header.Geometry);
}

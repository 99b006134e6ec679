using System.Buffers;
using System.Buffers.Binary;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Bitmaps;

/// <summary>
/// The persistent bitmaps of an image that is written. A bitmap that changes is marked as in use on the disk before the disk
/// of the guest is, and counts for nothing until it is saved. Not safe from several threads, except <see cref="Record"/>.
/// </summary>
/// <remarks>
/// Saving writes over the bitmap's own clusters, which nobody trusts while it is in use; what that must not harm are the
/// refcounts. So new clusters are counted on the disk before a table names them, tables before the directory names them, and
/// clusters are given up after both. Every step into the directory is one aligned word, which no crash can tear: where the
/// table begins; then its size together with the flags, which makes the bitmap valid again.
/// </remarks>
internal sealed partial class BitmapStore
{
    private const int TableSizeOffset = 8;
    private const int FlagsOffset = 12;

    private readonly BlockStorage _image;
    private readonly MetadataCommitter _committer;
    private readonly RefcountStore _refcounts;
    private readonly MetadataGuard _guard;
    private readonly List<StoredBitmap> _bitmaps = [];
    private volatile DirtyBitmap[] _recording = [];
    private long _directoryOffset;
    private bool _isDirectoryUnknown;
    private bool _isResizing;

    private BitmapStore(BlockStorage image, MetadataCommitter committer, RefcountStore refcounts, MetadataGuard guard)
    {
        _image = image;
        _committer = committer;
        _refcounts = refcounts;
        _guard = guard;
    }

    /// <summary>Directory entries as a clean close leaves them.</summary>
    internal IReadOnlyList<BitmapDirectoryEntry> Entries => [.. _bitmaps.Select(bitmap => bitmap.Entry)];

    private Qcow2Header Header => _committer.Header;

    /// <summary>Reads where every bitmap lies, and puts those places under guard.</summary>
    /// <exception cref="Qcow2Exception">The directory or a table is damaged.</exception>
    internal static BitmapStore Load(BlockStorage image, MetadataCommitter committer, RefcountStore refcounts, MetadataGuard guard)
    {
        var store = new BitmapStore(image, committer, refcounts, guard);
        store.LoadAll();
        return store;
    }

    /// <summary>Marks enabled bitmaps as in use, so that they record from now on. The caller flushes.</summary>
    internal void Begin()
    {
        MarkInUse(_bitmaps.Where(bitmap => bitmap.IsEnabled && !bitmap.IsInconsistent));
        RefreshRecording();
    }

    /// <summary>Notes that a range of the disk is about to change. Safe from many threads.</summary>
    /// <exception cref="IOException">A bitmap could not be read; the range must not be written.</exception>
    internal void Record(long offset, long length)
    {
        foreach (DirtyBitmap bits in _recording)
        {
            bits.Mark(offset, length);
        }
    }

    /// <summary>Makes every bitmap ready for a disk of another size. Nothing of that is lost if the resize fails.</summary>
    /// <exception cref="Qcow2Exception">A bitmap of that disk would pass a limit.</exception>
    /// <exception cref="NotSupportedException">A bitmap was never saved.</exception>
    internal void PrepareResize(long size)
    {
        RequireKnownDirectory();
        foreach (StoredBitmap bitmap in _bitmaps)
        {
            if (bitmap.IsInconsistent)
            {
                throw new NotSupportedException(
                    $"{_image.Path}: bitmap '{bitmap.ShownName}' was not saved when the image was last closed. Remove it before the disk is resized.");
            }

            long tableSize = DirtyBitmap.TableSizeFor(size, bitmap.Entry.GranularityBits, Header.Geometry);
            if (tableSize == 0)
            {
                throw new NotSupportedException($"{_image.Path}: a disk of no bytes can have no bitmaps. Remove them before the disk is resized.");
            }

            if (tableSize > Qcow2Limits.MaxBitmapDataBytes >> Header.ClusterBits)
            {
                throw Qcow2Errors.Limit(
                    $"The data of bitmap '{bitmap.ShownName}' for a disk of {size} bytes",
                    (ulong)tableSize << Header.ClusterBits,
                    (ulong)Qcow2Limits.MaxBitmapDataBytes,
                    "bytes").At(_image.Path);
            }
        }

        _isResizing = true;
        MarkInUse(_bitmaps);
        _image.Flush();
    }

    /// <summary>Follows the disk to the size that the header gives it.</summary>
    internal void Resize()
    {
        long size = Header.Size;
        foreach (StoredBitmap bitmap in _bitmaps)
        {
            if (bitmap.Bits is null)
            {
                continue; // It could not be opened, so the disk has its old size.
            }

            int tableSize = (int)DirtyBitmap.TableSizeFor(size, bitmap.Entry.GranularityBits, Header.Geometry);
            bitmap.Dropped.AddRange(bitmap.Bits.Resize(size, tableSize));
        }

        _isResizing = false;
    }

    /// <summary>Saves the bitmaps that are open and record nothing.</summary>
    internal void SaveDisabled() => Save([.. _bitmaps.Where(bitmap => bitmap.Bits is not null && !bitmap.IsEnabled)]);

    /// <summary>Saves every bitmap that is open. Nothing is recorded any more.</summary>
    internal void SaveAll()
    {
        _recording = [];
        if (_isResizing)
        {
            Resize(); // A resize that failed may have got as far as the header.
        }

        Save([.. _bitmaps.Where(bitmap => bitmap.Bits is not null)]);
    }

    private void LoadAll()
    {
        Qcow2Header header = Header;
        var tables = new BitmapTables(_image, header, _refcounts, _guard);
        long position = (long)(header.Extension<BitmapsExtension>()?.DirectoryOffset ?? 0);
        IReadOnlyList<BitmapDirectoryEntry> entries = BitmapDirectory.Load(_image, header);
        _directoryOffset = position;
        tables.ClaimDirectory(position, entries.Sum(entry => (long)entry.TotalLength));
        foreach (BitmapDirectoryEntry entry in entries)
        {
            var bitmap = new StoredBitmap(position, entry);
            _bitmaps.Add(bitmap);
            ulong[] table = tables.Read(bitmap);
            if (bitmap.IsEnabled && !bitmap.IsInconsistent)
            {
                bitmap.Bits = Open(entry, table);
            }

            position += entry.TotalLength;
        }

        foreach (KeyValuePair<long, string> cluster in tables.Clusters)
        {
            _guard.Add(cluster.Key << header.ClusterBits, 1, cluster.Value);
        }

    }

    private void RefreshRecording()
        => _recording = [.. _bitmaps.Where(bitmap => bitmap.IsEnabled && bitmap.Bits is not null).Select(bitmap => bitmap.Bits!)];

    private void RequireKnownDirectory()
    {
        if (_isDirectoryUnknown)
        {
            throw new IOException(
                $"{_image.Path}: the host failed while the list of bitmaps changed, so that the bitmaps are left marked as in use. Open the image again.");
        }
    }

    private DirtyBitmap Open(BitmapDirectoryEntry entry, ulong[] table)
        => new(Header.Geometry, entry.GranularityBits, Header.Size, table, (data, bits) => _image.ReadZeroPadded(data.Offset, bits));

    private void MarkInUse(IEnumerable<StoredBitmap> bitmaps)
    {
        foreach (StoredBitmap bitmap in bitmaps)
        {
            if (bitmap.Bits is null)
            {
                ulong[] table = new ulong[bitmap.Entry.TableSize];
                BigEndianTable.Read(_image, bitmap.Entry.TableOffset, table);
                bitmap.Bits = Open(bitmap.Entry, table);
            }

            byte[] flags = new byte[sizeof(uint)];
            BinaryPrimitives.WriteUInt32BigEndian(flags, (uint)(bitmap.Entry.Flags | BitmapFlags.InUse));
            _image.Write(bitmap.Position + FlagsOffset, flags);
        }
    }

    /// <summary>After a failure this can be called again; the bitmaps are in use on the disk until it has succeeded.</summary>
    private void Save(IReadOnlyList<StoredBitmap> bitmaps)
    {
        if (bitmaps.Count == 0)
        {
            return;
        }

        _committer.RequireSound();
        RequireKnownDirectory();
        byte[] cluster = ArrayPool<byte>.Shared.Rent(Header.ClusterSize);
        try
        {
            foreach (StoredBitmap bitmap in bitmaps)
            {
                WritePages(bitmap, cluster.AsSpan(0, Header.ClusterSize));
                WriteMovedTable(bitmap);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(cluster);
        }

        // Everything that the guest wrote, and every count that the tables will rely on.
        _committer.Commit();
        foreach (StoredBitmap bitmap in bitmaps)
        {
            WriteTable(bitmap);
        }

        _image.Flush();
        foreach (StoredBitmap bitmap in bitmaps)
        {
            byte[] sizeAndFlags = new byte[sizeof(ulong)];
            BinaryPrimitives.WriteInt32BigEndian(sizeAndFlags, bitmap.Bits!.Table.Length);
            BinaryPrimitives.WriteUInt32BigEndian(sizeAndFlags.AsSpan(FlagsOffset - TableSizeOffset), (uint)bitmap.Entry.Flags);
            _image.Write(bitmap.Position + TableSizeOffset, sizeAndFlags);
        }

        _image.Flush();
        foreach (StoredBitmap bitmap in bitmaps)
        {
            Finish(bitmap);
        }
    }

    private void WritePages(StoredBitmap bitmap, Span<byte> cluster)
    {
        DirtyBitmap bits = bitmap.Bits!;
        foreach (int page in bits.ChangedPages)
        {
            (BitmapTableEntry entry, PageContent content) = bits.Describe(page);
            if (content == PageContent.Mixed)
            {
                bits.CopyPage(page, cluster);
                if (entry.IsUsed)
                {
                    _image.Write(entry.Offset, cluster);
                }
                else
                {
                    bits.SetEntry(page, (ulong)WriteNewCluster(cluster));
                }

                continue;
            }

            if (entry.IsUsed)
            {
                bitmap.Dropped.Add(entry.Offset);
            }

            bits.SetEntry(page, content == PageContent.Ones ? 1UL : 0);
        }
    }

    private long WriteNewCluster(ReadOnlySpan<byte> content)
    {
        long number = _refcounts.Allocate(1, out _, out _);
        try
        {
            _guard.Check(number << Header.ClusterBits, 1);
            _image.Write(number << Header.ClusterBits, content);
        }
        catch
        {
            _refcounts.Release(number, 1);
            throw;
        }

        _guard.Add(number << Header.ClusterBits, 1, "bitmap data");
        return number << Header.ClusterBits;
    }

    /// <summary>Gives a table that needs more clusters than it has a new place.</summary>
    private void WriteMovedTable(StoredBitmap bitmap)
    {
        ReadOnlySpan<ulong> table = bitmap.Bits!.Table;
        long clusters = ClustersOf(table.Length);
        if (clusters <= ClustersOf(bitmap.Entry.TableSize))
        {
            return;
        }

        if (bitmap.NewTableOffset == 0)
        {
            bitmap.NewTableOffset = _refcounts.Append(clusters) << Header.ClusterBits;
            _guard.Add(bitmap.NewTableOffset, clusters << Header.ClusterBits, "a bitmap table");
        }

        BigEndianTable.Write(_image, bitmap.NewTableOffset, table);
    }

    private void WriteTable(StoredBitmap bitmap)
    {
        ReadOnlySpan<ulong> table = bitmap.Bits!.Table;
        if (bitmap.NewTableOffset != 0)
        {
            byte[] offset = new byte[sizeof(ulong)];
            BinaryPrimitives.WriteInt64BigEndian(offset, bitmap.NewTableOffset);
            _image.Write(bitmap.Position, offset);
            return;
        }

        // Entries past the present size count for nothing before the size says so.
        IReadOnlyList<int> changed = bitmap.Bits!.ChangedPages;
        int tail = Math.Min(Math.Min(table.Length, bitmap.Entry.TableSize), bitmap.Bits!.CutFrom);
        int first = changed.Count > 0 ? Math.Min(changed[0], tail) : tail;
        int end = tail < table.Length ? table.Length : changed.Count > 0 ? changed[changed.Count - 1] + 1 : first;
        if (end > first)
        {
            BigEndianTable.Write(_image, bitmap.Entry.TableOffset + ((long)first * BitmapTableEntry.Length), table.Slice(first, end - first));
        }
    }

    private void Finish(StoredBitmap bitmap)
    {
        DirtyBitmap bits = bitmap.Bits!;
        long had = ClustersOf(bitmap.Entry.TableSize);
        long kept = bitmap.NewTableOffset != 0 ? 0 : ClustersOf(bits.Table.Length);
        for (long i = kept; i < had; i++)
        {
            _refcounts.QueueDecrement((bitmap.Entry.TableOffset >> Header.ClusterBits) + i);
        }

        foreach (long dropped in bitmap.Dropped)
        {
            _refcounts.QueueDecrement(dropped >> Header.ClusterBits);
        }

        bitmap.Dropped.Clear();
        bits.MarkSaved();
        bitmap.Entry = bitmap.Entry with
        {
            TableOffset = bitmap.NewTableOffset != 0 ? bitmap.NewTableOffset : bitmap.Entry.TableOffset,
            TableSize = bits.Table.Length,
        };
        bitmap.NewTableOffset = 0;
        bitmap.Bits = null;
    }

    private long ClustersOf(int tableSize) => (((long)tableSize * BitmapTableEntry.Length) + Header.ClusterSize - 1) >> Header.ClusterBits;
}

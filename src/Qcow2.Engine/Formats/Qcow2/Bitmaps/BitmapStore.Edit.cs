using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;

namespace Qcow2.Engine.Formats.Qcow2.Bitmaps;

/// <content>New bitmaps, and what a person does with them. The rules are those of <c>qemu-img bitmap</c>.</content>
internal sealed partial class BitmapStore
{
    /// <summary>Adds a bitmap in which nothing is dirty.</summary>
    internal void Create(string name, int granularityBits, bool isEnabled)
    {
        RequireKnownDirectory();
        RequireNewName(name);
        long tableSize = DirtyBitmap.TableSizeFor(Header.Size, granularityBits, Header.Geometry);
        RequireDataSize(tableSize, granularityBits);

        long clusters = ClustersOf((int)tableSize);
        long table = AllocateRun(clusters, "a bitmap table");
        BitmapDirectoryEntry entry = new BitmapDirectoryEntry
        {
            TableOffset = table,
            TableSize = (int)tableSize,
            Flags = isEnabled ? BitmapFlags.Auto : BitmapFlags.None,
            GranularityBits = granularityBits,
        }.WithName(name);
        ulong[] entries = new ulong[tableSize];
        var bitmap = new StoredBitmap(0, entry) { Bits = isEnabled ? Open(entry, entries) : null };
        try
        {
            BigEndianTable.Write(_image, table, entries);
            ReplaceDirectory([.. _bitmaps, bitmap]);
        }
        catch when (!_isDirectoryUnknown)
        {
            Release(table, clusters);
            throw;
        }

        RefreshRecording();
    }

    /// <summary>Removes a bitmap, also one that was never saved.</summary>
    internal void Remove(string name)
    {
        RequireKnownDirectory();
        StoredBitmap bitmap = Find(name);
        ulong[] table = bitmap.Bits is DirtyBitmap bits ? bits.Table.ToArray() : ReadTable(bitmap);
        ReplaceDirectory([.. _bitmaps.Where(other => other != bitmap)]);
        RefreshRecording();
        IEnumerable<long> data = table.Select(entry => new BitmapTableEntry(entry)).Where(entry => entry.IsUsed).Select(entry => entry.Offset);
        foreach (long offset in data.Concat(bitmap.Dropped))
        {
            Free(offset, 1);
        }

        Free(bitmap.Entry.TableOffset, ClustersOf(bitmap.Entry.TableSize));
    }

    /// <summary>Makes every bit of a bitmap clear.</summary>
    internal void Clear(string name) => Edit(FindConsistent(name), bitmap => bitmap.Dropped.AddRange(bitmap.Bits!.Clear()));

    /// <summary>Lets a bitmap record from now on.</summary>
    internal void Enable(string name)
    {
        StoredBitmap bitmap = FindConsistent(name);
        if (!bitmap.IsEnabled)
        {
            SetAuto(bitmap, true);
            try
            {
                MarkInUse([bitmap]);
                _image.Flush();
            }
            catch
            {
                // Whatever the disk says now, a clean close saves it as the disabled bitmap that it still is.
                SetAuto(bitmap, false);
                throw;
            }

            RefreshRecording();
        }
    }

    /// <summary>Saves a bitmap and lets it record no more.</summary>
    internal void Disable(string name)
    {
        StoredBitmap bitmap = FindConsistent(name);
        if (bitmap.IsEnabled)
        {
            SetAuto(bitmap, false);
            RefreshRecording();
            Save([bitmap]);
        }
    }

    /// <summary>Sets in one bitmap every bit whose part of the disk is dirty in another.</summary>
    internal void Merge(string source, string target)
    {
        StoredBitmap from = FindConsistent(source);
        StoredBitmap to = FindConsistent(target);
        if (from == to)
        {
            return;
        }

        Merge((from.Bits ?? Open(from.Entry, ReadTable(from))).DirtyRanges(), target);
    }

    /// <summary>Sets in a bitmap every bit of parts of the disk.</summary>
    internal void Merge(IEnumerable<(long Offset, long Length)> ranges, string target) => Edit(FindConsistent(target), bitmap =>
    {
        foreach ((long offset, long length) in ranges)
        {
            bitmap.Bits!.Mark(offset, length);
        }
    });

    private static void SetAuto(StoredBitmap bitmap, bool isSet)
        => bitmap.Entry = bitmap.Entry with { Flags = isSet ? bitmap.Entry.Flags | BitmapFlags.Auto : bitmap.Entry.Flags & ~BitmapFlags.Auto };

    /// <summary>Changes the bits of a bitmap; one that records nothing is saved at once.</summary>
    private void Edit(StoredBitmap bitmap, Action<StoredBitmap> edit)
    {
        RequireKnownDirectory();
        if (bitmap.Bits is null)
        {
            MarkInUse([bitmap]);
            _image.Flush();
        }

        edit(bitmap);
        if (!bitmap.IsEnabled)
        {
            Save([bitmap]);
        }
    }

    private StoredBitmap Find(string name)
        => _bitmaps.FirstOrDefault(bitmap => string.Equals(bitmap.Entry.Name, name, StringComparison.Ordinal))
            ?? throw new Qcow2Exception(Qcow2ErrorCode.BitmapNotFound, $"There is no bitmap with the name '{PrintableText.Of(name)}'.");

    private StoredBitmap FindConsistent(string name)
    {
        StoredBitmap bitmap = Find(name);
        return bitmap.IsInconsistent
            ? throw new Qcow2Exception(
                Qcow2ErrorCode.BitmapInconsistent,
                $"Bitmap '{bitmap.ShownName}' was not saved when the image was last closed, so what it says is outdated. It can only be removed.")
            : bitmap;
    }

    private void RequireNewName(string name)
    {
        RequireVersion();
        if (_bitmaps.Any(bitmap => string.Equals(bitmap.Entry.Name, name, StringComparison.Ordinal)))
        {
            throw Exists(name);
        }

        if (_bitmaps.Count == Qcow2Limits.MaxBitmaps)
        {
            throw TooMany(Qcow2Limits.MaxBitmaps + 1);
        }
    }

    private void RequireVersion()
    {
        if (Header.Version < 3)
        {
            throw Qcow2Errors.Unsupported("An image of version 2 cannot have bitmaps.");
        }
    }

    private void RequireDataSize(long tableSize, int granularityBits)
    {
        if (tableSize == 0 || tableSize > Qcow2Limits.MaxBitmapDataBytes >> Header.ClusterBits)
        {
            throw Qcow2Errors.Limit(
                $"The data of a bitmap with a granularity of {1L << granularityBits} bytes for a disk of {Header.Size} bytes",
                (ulong)tableSize << Header.ClusterBits,
                (ulong)Qcow2Limits.MaxBitmapDataBytes,
                "bytes, and at least one bit");
        }
    }

    private static Qcow2Exception Exists(string name)
        => new(Qcow2ErrorCode.BitmapExists, $"There is a bitmap with the name '{PrintableText.Of(name)}' already.");

    private static Qcow2Exception TooMany(int count) => Qcow2Errors.Limit("The number of bitmaps", (ulong)count, Qcow2Limits.MaxBitmaps);

    private ulong[] ReadTable(StoredBitmap bitmap)
    {
        ulong[] table = new ulong[bitmap.Entry.TableSize];
        BigEndianTable.Read(_image, bitmap.Entry.TableOffset, table);
        return table;
    }

    /// <summary>Writes a directory at a new place and lets the header point to it.</summary>
    private void ReplaceDirectory(List<StoredBitmap> bitmaps)
    {
        long oldBytes = _bitmaps.Sum(bitmap => (long)bitmap.Entry.TotalLength);
        long bytes = bitmaps.Sum(bitmap => (long)bitmap.Entry.TotalLength);
        long clusters = ClustersOfBytes(bytes);
        long offset = 0;
        var header = new BitmapsExtensionWriter(_image, _committer);
        if (clusters > 0)
        {
            header.RequireRoom();
            offset = AllocateRun(clusters, "the bitmap directory");
            try
            {
                _image.Write(offset, WriteDirectory(bitmaps, clusters << Header.ClusterBits));
                _committer.Commit();
            }
            catch
            {
                Release(offset, clusters);
                throw;
            }
        }

        // From here on the disk may have the one directory or the other.
        _isDirectoryUnknown = true;
        if (clusters > 0)
        {
            header.Write(new BitmapsExtension(bitmaps.Count, bytes, offset));
        }
        else
        {
            header.Remove();
        }

        _isDirectoryUnknown = false;
        Free(_directoryOffset, ClustersOfBytes(oldBytes));
        _directoryOffset = offset;
        _bitmaps.Clear();
        foreach (StoredBitmap bitmap in bitmaps)
        {
            bitmap.Position = offset;
            offset += bitmap.Entry.TotalLength;
            _bitmaps.Add(bitmap);
        }
    }

    private static byte[] WriteDirectory(List<StoredBitmap> bitmaps, long bytes)
    {
        byte[] directory = new byte[bytes];
        int position = 0;
        foreach (StoredBitmap bitmap in bitmaps)
        {
            BitmapFlags flags = bitmap.Entry.Flags | (bitmap.Bits is null ? BitmapFlags.None : BitmapFlags.InUse);
            (bitmap.Entry with { Flags = flags }).Write(directory.AsSpan(position));
            position += bitmap.Entry.TotalLength;
        }

        return directory;
    }

    /// <returns>Host offset of clusters next to each other, counted once.</returns>
    private long AllocateRun(long clusters, string name)
    {
        long offset = _refcounts.Append(clusters) << Header.ClusterBits;
        try
        {
            _guard.Check(offset, clusters << Header.ClusterBits);
        }
        catch
        {
            _refcounts.Release(offset >> Header.ClusterBits, clusters);
            throw;
        }

        _guard.Add(offset, clusters << Header.ClusterBits, name);
        return offset;
    }

    private void Release(long offset, long clusters)
    {
        for (long i = 0; i < clusters; i++)
        {
            _guard.Remove((offset >> Header.ClusterBits) + i);
        }

        _refcounts.Release(offset >> Header.ClusterBits, clusters);
    }

    /// <summary>Gives clusters up that the disk no longer refers to. A bitmap that nobody saved may name some that have no count.</summary>
    private void Free(long offset, long clusters)
    {
        for (long cluster = offset >> Header.ClusterBits; cluster < (offset >> Header.ClusterBits) + clusters; cluster++)
        {
            if (_refcounts.Get(cluster) > 0)
            {
                _refcounts.QueueDecrement(cluster);
            }
        }
    }

    private long ClustersOfBytes(long bytes) => (bytes + Header.ClusterSize - 1) >> Header.ClusterBits;
}

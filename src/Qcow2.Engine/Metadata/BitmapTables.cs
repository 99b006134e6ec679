using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Metadata;

/// <summary>Reads the tables of bitmaps for a writer, who must know where they and their data lie (spec: "Bitmap table").</summary>
internal sealed class BitmapTables(BlockStorage image, Qcow2Header header, RefcountStore refcounts, MetadataGuard guard)
{
    // QEMU has no such limit. It keeps an image that is nothing but tables from taking a writer's memory and time.
    private const long MaxBytes = 32L << 20;

    private readonly Dictionary<long, string> _claimed = [];
    private long _bytes;

    /// <summary>Every cluster that the directory, a table or bitmap data takes.</summary>
    internal IEnumerable<KeyValuePair<long, string>> Clusters => _claimed;

    /// <summary>Claims the clusters of the directory, whose flags are written where they lie.</summary>
    /// <exception cref="Qcow2Exception">Something else lies there.</exception>
    internal void ClaimDirectory(long offset, long length)
    {
        for (long position = offset; position < offset + length; position += header.ClusterSize)
        {
            Claim(position, "the bitmap directory", isTrusted: true);
        }
    }

    /// <summary>Reads a bitmap's table and claims the clusters of the table and of its data.</summary>
    /// <exception cref="Qcow2Exception">The table breaks the specification or a limit, or something else takes its place.</exception>
    internal ulong[] Read(StoredBitmap bitmap)
    {
        BitmapDirectoryEntry entry = bitmap.Entry;
        string name = $"bitmap '{bitmap.ShownName}'";
        RequireSize(entry, name);
        long bytes = (long)entry.TableSize * BitmapTableEntry.Length;
        long fileLength = image.Length;
        if (entry.TableOffset == 0 || entry.TableOffset > fileLength - bytes)
        {
            throw Qcow2Errors.PastEnd($"The table of {name}", (ulong)entry.TableOffset, (ulong)bytes, fileLength);
        }

        _bytes += bytes;
        if (_bytes > MaxBytes)
        {
            throw Qcow2Errors.Limit("The size of all bitmap tables of an image that is written", (ulong)_bytes, (ulong)MaxBytes, "bytes");
        }

        for (long offset = entry.TableOffset; offset < entry.TableOffset + bytes; offset += header.ClusterSize)
        {
            Claim(offset, "a bitmap table", !bitmap.IsInconsistent);
        }

        ulong[] table = new ulong[entry.TableSize];
        BigEndianTable.Read(image, entry.TableOffset, table);
        for (int i = 0; i < table.Length; i++)
        {
            var data = new BitmapTableEntry(table[i]);
            if (data.ReservedBits != 0)
            {
                throw Qcow2Errors.Corrupt($"Entry {i} of the table of {name} is 0x{data.Value:x16}, in which reserved bits are set.");
            }

            if (data.IsUsed)
            {
                RequireInside(data.Offset, fileLength, $"Entry {i} of the table of {name}");
                Claim(data.Offset, "bitmap data", !bitmap.IsInconsistent);
            }
        }

        return table;
    }

    private void RequireSize(BitmapDirectoryEntry entry, string name)
    {
        long dataBytes = (long)entry.TableSize << header.ClusterBits;
        if (dataBytes > Qcow2Limits.MaxBitmapDataBytes)
        {
            throw Qcow2Errors.Limit($"The data of {name}", (ulong)dataBytes, (ulong)Qcow2Limits.MaxBitmapDataBytes, "bytes");
        }

        // QEMU counts whole sectors of the disk only.
        long needed = DirtyBitmap.TableSizeFor(header.Size, entry.GranularityBits, header.Geometry);
        long neededByQemu = DirtyBitmap.TableSizeFor(header.Size & ~511L, entry.GranularityBits, header.Geometry);
        bool isInconsistent = (entry.Flags & BitmapFlags.InUse) != 0;
        if (entry.TableSize == 0 || (!isInconsistent && entry.TableSize != needed && entry.TableSize != neededByQemu))
        {
            throw Qcow2Errors.Corrupt(
                $"bitmap_table_size of {name} is {entry.TableSize}; a disk of {header.Size} bytes needs {needed}. Remove the bitmap before the image is written.");
        }
    }

    private void RequireInside(long offset, long fileLength, string what)
    {
        if (!header.Geometry.IsClusterAligned(offset))
        {
            throw Qcow2Errors.Misaligned(what, (ulong)offset, header.ClusterSize);
        }

        if (offset >= fileLength)
        {
            throw Qcow2Errors.PastEnd($"{what}, whose data", (ulong)offset, (ulong)header.ClusterSize, fileLength);
        }
    }

    /// <summary>What is written over when the bitmap is saved must be the bitmap's and nothing else's.</summary>
    private void Claim(long offset, string what, bool isTrusted)
    {
        long cluster = offset >> header.ClusterBits;
        string? taken = guard.Find(offset, 1)?.Name ?? (_claimed.TryGetValue(cluster, out string? other) ? other : null);
        if (taken is not null)
        {
            throw Qcow2Errors.Corrupt($"The cluster at 0x{offset:x} is {what}, but {taken} lies there, too; check and repair the image.");
        }

        if (isTrusted && refcounts.Get(cluster) is ulong count and not 1)
        {
            throw Qcow2Errors.Corrupt($"The cluster at 0x{offset:x} is {what}, but its refcount is {count}; check and repair the image.");
        }

        _claimed.Add(cluster, what);
    }
}

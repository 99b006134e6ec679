using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Bitmaps;

/// <summary>Reads the tables of bitmaps for a writer, who must know where they and their data lie (spec: "Bitmap table").</summary>
internal sealed class BitmapTables(BlockStorage image, Qcow2Header header, RefcountStore refcounts, MetadataGuard guard)
{
    // QEMU has no such limit. It keeps an image that is nothing but tables from taking a writer's memory and time.
    internal const long MaxBytes = 32L << 20;

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
        ulong[] table = BitmapTableReader.Read(image, header, entry);
        _bytes += (long)entry.TableSize * BitmapTableEntry.Length;
        if (_bytes > MaxBytes)
        {
            throw TooLarge(_bytes);
        }

        for (long offset = entry.TableOffset; offset < entry.TableOffset + ((long)entry.TableSize * BitmapTableEntry.Length); offset += header.ClusterSize)
        {
            Claim(offset, "a bitmap table", !bitmap.IsInconsistent);
        }

        foreach (ulong value in table)
        {
            if (new BitmapTableEntry(value) is { IsUsed: true } data)
            {
                Claim(data.Offset, "bitmap data", !bitmap.IsInconsistent);
            }
        }

        return table;
    }

    /// <summary>What a writer says of an image whose bitmap tables take more than it takes on.</summary>
    internal static Qcow2Exception TooLarge(long bytes)
        => Qcow2Errors.Limit("The size of all bitmap tables of an image that is written", (ulong)bytes, (ulong)MaxBytes, "bytes");

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

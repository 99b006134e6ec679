using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Bitmaps;

/// <summary>Reads the table of one bitmap (spec: "Bitmap table").</summary>
internal static class BitmapTableReader
{
    /// <summary>Reads and checks a table.</summary>
    /// <exception cref="Qcow2Exception">The table breaks the specification or a limit, or does not lie inside the file.</exception>
    internal static ulong[] Read(BlockStorage image, Qcow2Header header, BitmapDirectoryEntry entry)
    {
        string name = $"bitmap '{PrintableText.Of(entry.Name)}'";
        RequireSize(header, entry, name);
        long bytes = (long)entry.TableSize * BitmapTableEntry.Length;
        long fileLength = image.Length;
        if (entry.TableOffset == 0 || entry.TableOffset > fileLength - bytes)
        {
            throw Qcow2Errors.PastEnd($"The table of {name}", (ulong)entry.TableOffset, (ulong)bytes, fileLength);
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
                RequireInside(header, data.Offset, fileLength, $"Entry {i} of the table of {name}");
            }
        }

        return table;
    }

    private static void RequireSize(Qcow2Header header, BitmapDirectoryEntry entry, string name)
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

    private static void RequireInside(Qcow2Header header, long offset, long fileLength, string what)
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
}

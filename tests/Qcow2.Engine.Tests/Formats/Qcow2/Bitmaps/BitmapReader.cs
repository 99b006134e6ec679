using System.Buffers.Binary;
using System.Text;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Bitmaps;

/// <summary>A bitmap as it lies in the bytes of an image, read by the specification alone, with none of the engine's code.</summary>
internal sealed record BitmapOnDisk(string Name, uint Flags, int GranularityBits, long TableOffset, ulong[] Table, bool[] Bits)
{
    internal const uint InUse = 1;
    internal const uint Auto = 2;

    /// <summary>Numbers of the bits that are set.</summary>
    internal IEnumerable<int> Dirty => Enumerable.Range(0, Bits.Length).Where(i => Bits[i]);
}

/// <summary>Reads bitmaps from the bytes of an image.</summary>
internal static class BitmapReader
{
    /// <summary>Every bitmap by its name; none where the autoclear bit says that they are stale.</summary>
    internal static Dictionary<string, BitmapOnDisk> Read(byte[] file)
    {
        var bitmaps = new Dictionary<string, BitmapOnDisk>();
        long size = (long)U64(file, 24);
        int clusterSize = 1 << (int)U32(file, 20);
        long position = U32(file, 100);
        while ((U64(file, 88) & 1) != 0 && U32(file, position) is uint type && type != 0)
        {
            if (type == 0x23852875)
            {
                long entry = (long)U64(file, position + 24);
                for (uint i = U32(file, position + 8); i > 0; i--)
                {
                    BitmapOnDisk bitmap = ReadOne(file, entry, size, clusterSize);
                    bitmaps.Add(bitmap.Name, bitmap);
                    entry += (24 + U16(file, entry + 18) + U32(file, entry + 20) + 7) & ~7;
                }
            }

            position += 8 + ((U32(file, position + 4) + 7) & ~7);
        }

        return bitmaps;
    }

    /// <summary>Every bitmap of a file by its name.</summary>
    internal static Dictionary<string, BitmapOnDisk> ReadFile(string path) => Read(File.ReadAllBytes(path));

    private static BitmapOnDisk ReadOne(byte[] file, long entry, long size, int clusterSize)
    {
        long tableOffset = (long)U64(file, entry);
        ulong[] table = [.. Enumerable.Range(0, (int)U32(file, entry + 8)).Select(i => U64(file, tableOffset + (i * 8)))];
        int granularityBits = file[entry + 17];
        bool[] bits = new bool[(int)((size + (1L << granularityBits) - 1) >> granularityBits)];
        int bitsPerCluster = clusterSize * 8;
        for (int i = 0; i < bits.Length; i++)
        {
            // An inconsistent bitmap may be of another size than the disk.
            ulong cluster = i / bitsPerCluster < table.Length ? table[i / bitsPerCluster] : 0;
            bits[i] = cluster <= 1 ? cluster == 1 : ((file[(long)cluster + (i % bitsPerCluster / 8)] >> (i % 8)) & 1) != 0;
        }

        int nameLength = U16(file, entry + 18);
        string name = Encoding.UTF8.GetString(file, (int)(entry + 24 + U32(file, entry + 20)), nameLength);
        return new BitmapOnDisk(name, U32(file, entry + 12), granularityBits, tableOffset, table, bits);
    }

    private static ulong U64(byte[] file, long at) => BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan((int)at, 8));

    private static uint U32(byte[] file, long at) => BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan((int)at, 4));

    private static int U16(byte[] file, long at) => BinaryPrimitives.ReadUInt16BigEndian(file.AsSpan((int)at, 2));
}

using System.Buffers.Binary;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>exFAT (exFAT file system specification, sections 3.1 and 7.3: the label is an entry of the root directory).</summary>
internal static class ExFat
{
    private const byte LabelEntry = 0x83;
    private const int EntrySize = 32;
    private const int MostEntries = 4096;

    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        ReadOnlySpan<byte> boot = volume.At(0, 512);
        if (boot.IsEmpty || !boot.Slice(3).StartsWith("EXFAT   "u8) || boot[108] is < 9 or > 12 || boot[109] > 25 - boot[108] || boot[110] is not (1 or 2))
        {
            return null;
        }

        int sectorShift = boot[108];
        long clusterSize = 1L << (sectorShift + boot[109]);
        return new VolumeSignature("exFAT")
        {
            Label = Label(volume, boot, sectorShift, clusterSize),
            Uuid = SuperblockText.FatSerial(BinaryPrimitives.ReadUInt32LittleEndian(boot.Slice(100))),
            Size = SuperblockText.Product(BinaryPrimitives.ReadUInt64LittleEndian(boot.Slice(72)), 1UL << sectorShift),
            BlockSize = clusterSize,
        };
    }

    private static string? Label(VolumeBytes volume, ReadOnlySpan<byte> boot, int sectorShift, long clusterSize)
    {
        long table = (long)BinaryPrimitives.ReadUInt32LittleEndian(boot.Slice(80)) << sectorShift;
        long heap = (long)BinaryPrimitives.ReadUInt32LittleEndian(boot.Slice(88)) << sectorShift;
        uint clusters = BinaryPrimitives.ReadUInt32LittleEndian(boot.Slice(92));
        uint cluster = BinaryPrimitives.ReadUInt32LittleEndian(boot.Slice(96));
        int left = MostEntries;
        while (cluster >= 2 && cluster - 2 < clusters)
        {
            for (long offset = 0; offset < clusterSize && left > 0; offset += EntrySize, left--)
            {
                ReadOnlySpan<byte> entry = volume.At(heap + ((cluster - 2) * clusterSize) + offset, EntrySize);
                if (entry.IsEmpty || entry[0] == 0)
                {
                    return null;
                }

                if (entry[0] == LabelEntry)
                {
                    return SuperblockText.Utf16(entry.Slice(2, 2 * Math.Min((int)entry[1], 11)));
                }
            }

            ReadOnlySpan<byte> next = volume.At(table + (4L * cluster), 4);
            if (left <= 0 || next.IsEmpty)
            {
                return null;
            }

            cluster = BinaryPrimitives.ReadUInt32LittleEndian(next);
        }

        return null;
    }
}

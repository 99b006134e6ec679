using System.Buffers.Binary;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>
/// FAT12, FAT16 and FAT32, which is which by the number of clusters (Microsoft Extensible Firmware Initiative FAT32 File System Specification, sections 3.1 to 3.5).
/// The label is the root directory's; the one in the boot sector counts where there is none.
/// </summary>
internal static class Fat
{
    /// <summary>Number of clusters with which FAT16 begins.</summary>
    private const uint FirstFat16 = 4085;
    private const uint MostFat16 = 0xfff4;
    private const uint MostFat32 = 0x0fff_fff6;

    /// <summary>A label is one of a directory's first entries; a longer directory is a lie, or has none.</summary>
    private const int MostEntries = 4096;
    private const int EntrySize = 32;

    /// <summary>Whether a boot sector is that of a FAT volume, and thus no partition table.</summary>
    internal static bool IsBootSector(ReadOnlySpan<byte> boot) => Layout.Of(boot) is not null;

    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        ReadOnlySpan<byte> boot = volume.At(0, 512);
        if (Layout.Of(boot) is not Layout layout)
        {
            return null;
        }

        int extended = layout.IsFat32 ? 66 : 38;
        bool hasSerial = boot[extended] is 0x28 or 0x29;
        string? label = layout.IsFat32 ? LabelInClusters(volume, layout) : LabelIn(volume, layout.RootOffset, layout.RootEntries, out _);
        if (label is null or "NO NAME")
        {
            label = hasSerial ? SuperblockText.Utf8(boot.Slice(extended + 5, 11)) : null;
        }

        return new VolumeSignature(layout.IsFat32 ? "FAT32" : layout.Clusters < FirstFat16 ? "FAT12" : "FAT16")
        {
            Label = label == "NO NAME" ? null : label,
            Uuid = SuperblockText.FatSerial(BinaryPrimitives.ReadUInt32LittleEndian(boot.Slice(extended + 1))),
            Size = SuperblockText.Product(layout.Sectors, (ulong)layout.SectorSize),
            BlockSize = layout.ClusterSize,
        };
    }

    private static string? LabelInClusters(VolumeBytes volume, Layout layout)
    {
        uint cluster = layout.RootCluster;
        for (int left = MostEntries; left > 0 && cluster >= 2 && cluster - 2 < layout.Clusters; left -= (int)layout.ClusterSize / EntrySize)
        {
            string? label = LabelIn(volume, layout.RootOffset + ((cluster - 2) * layout.ClusterSize), Math.Min(left, (int)layout.ClusterSize / EntrySize), out bool isEnd);
            ReadOnlySpan<byte> next = volume.At(layout.TableOffset + (4L * cluster), 4);
            if (label is not null || isEnd || next.IsEmpty)
            {
                return label;
            }

            cluster = BinaryPrimitives.ReadUInt32LittleEndian(next) & 0x0fff_ffff;
        }

        return null;
    }

    private static string? LabelIn(VolumeBytes volume, long offset, int entries, out bool isEnd)
    {
        const int Piece = 16;
        for (int i = 0; i < Math.Min(entries, MostEntries); i += Piece)
        {
            ReadOnlySpan<byte> piece = volume.At(offset + ((long)i * EntrySize), Piece * EntrySize);
            for (; !piece.IsEmpty; piece = piece.Slice(EntrySize))
            {
                if (piece[0] == 0)
                {
                    isEnd = true;
                    return null;
                }

                // Neither deleted nor a part of a long name, of which all attributes are set, nor with data: a label.
                bool hasData = piece[20] != 0 || piece[21] != 0 || piece[26] != 0 || piece[27] != 0;
                if (piece[0] != 0xe5 && !hasData && (piece[11] & 0x3f) != 0x0f && (piece[11] & 0x18) == 0x08)
                {
                    isEnd = true;
                    return SuperblockText.Utf8(piece.Slice(0, 11));
                }
            }
        }

        isEnd = false;
        return null;
    }

    /// <summary>Where things lie in the volume, in bytes.</summary>
    private sealed record Layout(int SectorSize, long ClusterSize, bool IsFat32, uint Sectors, uint Clusters, long TableOffset, long RootOffset, int RootEntries, uint RootCluster)
    {
        internal static Layout? Of(ReadOnlySpan<byte> boot)
        {
            if (boot.IsEmpty || !HasMark(boot))
            {
                return null;
            }

            uint sectorSize = BinaryPrimitives.ReadUInt16LittleEndian(boot.Slice(11));
            uint clusterSectors = boot[13];
            uint reserved = BinaryPrimitives.ReadUInt16LittleEndian(boot.Slice(14));
            uint tables = boot[16];
            uint entries = BinaryPrimitives.ReadUInt16LittleEndian(boot.Slice(17));
            uint smallSectors = BinaryPrimitives.ReadUInt16LittleEndian(boot.Slice(19));
            uint smallTable = BinaryPrimitives.ReadUInt16LittleEndian(boot.Slice(22));
            uint largeTable = BinaryPrimitives.ReadUInt32LittleEndian(boot.Slice(36));
            if (tables == 0 || reserved == 0 || boot[21] is not (0xf0 or >= 0xf8) || clusterSectors == 0 || (clusterSectors & (clusterSectors - 1)) != 0
                || sectorSize is < 512 or > 4096 || (sectorSize & (sectorSize - 1)) != 0)
            {
                return null;
            }

            uint sectors = smallSectors != 0 ? smallSectors : BinaryPrimitives.ReadUInt32LittleEndian(boot.Slice(32));
            bool isFat32 = smallTable == 0 && largeTable != 0;
            ulong tableSectors = (ulong)(smallTable != 0 ? smallTable : largeTable) * tables;
            ulong rootSectors = ((entries * EntrySize) + sectorSize - 1) / sectorSize;
            if (tableSectors == 0 || reserved + tableSectors + rootSectors > sectors)
            {
                return null;
            }

            uint clusters = (uint)((sectors - reserved - tableSectors - rootSectors) / clusterSectors);
            return clusters > (isFat32 ? MostFat32 : MostFat16)
                ? null
                : new Layout((int)sectorSize, (long)sectorSize * clusterSectors, isFat32, sectors, clusters, (long)reserved * sectorSize,
                    (long)(reserved + tableSectors + (isFat32 ? rootSectors : 0)) * sectorSize, (int)entries, isFat32 ? BinaryPrimitives.ReadUInt32LittleEndian(boot.Slice(44)) : 0);
        }

        /// <summary>A name of the file system, or a jump and the mark of a boot sector. OS/2 wrote such a sector before its own file systems.</summary>
        private static bool HasMark(ReadOnlySpan<byte> boot)
        {
            ReadOnlySpan<byte> small = boot.Slice(54, 8);
            ReadOnlySpan<byte> large = boot.Slice(82, 8);
            return large.StartsWith("MSWIN"u8) || large.SequenceEqual("FAT32   "u8) || small.StartsWith("MSDOS"u8)
                || small.SequenceEqual("FAT16   "u8) || small.SequenceEqual("FAT12   "u8) || small.SequenceEqual("FAT     "u8)
                || (boot[510] == 0x55 && boot[511] == 0xaa && !small.SequenceEqual("JFS     "u8) && !small.SequenceEqual("HPFS    "u8));
        }
    }
}

using System.Buffers.Binary;

namespace Qcow2.Engine.Tests.Partitions;

/// <summary>Partition tables by hand.</summary>
internal static class TestTables
{
    /// <summary>A disk with an MBR.</summary>
    internal static SectorDisk Mbr(long length, params (long First, long Count, byte Type)[] partitions)
    {
        var disk = new SectorDisk(length);
        byte[] sector = new byte[512];
        BinaryPrimitives.WriteUInt32LittleEndian(sector.AsSpan(440), 0x1a2b3c4d);
        for (int i = 0; i < partitions.Length; i++)
        {
            Span<byte> entry = sector.AsSpan(446 + (16 * i), 16);
            entry[4] = partitions[i].Type;
            BinaryPrimitives.WriteUInt32LittleEndian(entry[8..], (uint)partitions[i].First);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[12..], (uint)partitions[i].Count);
        }

        sector[510] = 0x55;
        sector[511] = 0xaa;
        disk.Write(0, sector);
        return disk;
    }

    /// <summary>Writes the sums of a GPT anew, of the header at a sector and of its entries.</summary>
    internal static void Sum(SectorDisk disk, long lba, int sectorSize = 512)
    {
        byte[] header = SectorDisk.Bytes(disk, lba * sectorSize, 92);
        long entries = BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(72));
        long size = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(80)) * (long)BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(84));
        if (entries >= 0 && size is >= 0 and <= 1 << 20 && entries * sectorSize <= disk.Length - size && entries * sectorSize >= 0)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(88), Engine.Codecs.Crc32.Of(SectorDisk.Bytes(disk, entries * sectorSize, (int)size)));
        }

        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(12), 92);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(16), 0);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(16), Engine.Codecs.Crc32.Of(header));
        disk.Write(lba * sectorSize, header);
    }
}

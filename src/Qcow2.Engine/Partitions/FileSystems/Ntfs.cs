using System.Buffers.Binary;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>NTFS. Its label is an attribute of the file <c>$Volume</c>, the fourth record of the master file table.</summary>
internal static class Ntfs
{
    private const int VolumeRecord = 3;
    private const uint VolumeName = 0x60;
    private const uint End = uint.MaxValue;

    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        ReadOnlySpan<byte> boot = volume.At(0, 512);
        if (boot.IsEmpty || !boot.Slice(3).StartsWith("NTFS    "u8))
        {
            return null;
        }

        int sectorSize = BinaryPrimitives.ReadUInt16LittleEndian(boot.Slice(11));
        long clusterSize = ClusterSize(sectorSize, boot[13]);
        long recordSize = RecordSize(clusterSize, (sbyte)boot[64]);
        ulong sectors = BinaryPrimitives.ReadUInt64LittleEndian(boot.Slice(40));
        ulong table = BinaryPrimitives.ReadUInt64LittleEndian(boot.Slice(48));
        if (clusterSize == 0 || recordSize == 0 || SuperblockText.Product(table, (ulong)clusterSize) is not long tableOffset
            || tableOffset >= volume.Length || !volume.Has(tableOffset, "FILE"u8))
        {
            return null;
        }

        return new VolumeSignature("NTFS")
        {
            Label = Label(volume.At(tableOffset + (VolumeRecord * recordSize), (int)Math.Min(recordSize, 4096))),
            Uuid = BinaryPrimitives.ReadUInt64LittleEndian(boot.Slice(72)).ToString("X16", System.Globalization.CultureInfo.InvariantCulture),
            Size = SuperblockText.Product(sectors, (ulong)sectorSize),
            BlockSize = clusterSize,
        };
    }

    private static long ClusterSize(int sectorSize, byte factor)
    {
        if (sectorSize is < 256 or > 4096 || (sectorSize & (sectorSize - 1)) != 0)
        {
            return 0;
        }

        // Above 128 sectors it is an exponent, negative.
        int sectors = factor is >= 240 and <= 249 ? 1 << (256 - factor) : factor;
        return sectors > 0 && (sectors & (sectors - 1)) == 0 ? (long)sectorSize * sectors : 0;
    }

    private static long RecordSize(long clusterSize, sbyte factor)
    {
        long size = factor > 0 ? clusterSize * factor : factor >= -16 ? 1L << -factor : 0;
        return size is >= 512 and <= 65536 ? size : 0;
    }

    private static string? Label(ReadOnlySpan<byte> record)
    {
        if (!record.StartsWith("FILE"u8))
        {
            return null;
        }

        int offset = BinaryPrimitives.ReadUInt16LittleEndian(record.Slice(20));
        while (offset <= record.Length - 24)
        {
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(record.Slice(offset));
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(record.Slice(offset + 4));
            if (type is 0 or End || length < 24 || length > record.Length - offset)
            {
                return null;
            }

            if (type == VolumeName)
            {
                ReadOnlySpan<byte> attribute = record.Slice(offset, (int)length);
                uint valueLength = BinaryPrimitives.ReadUInt32LittleEndian(attribute.Slice(16));
                int valueOffset = BinaryPrimitives.ReadUInt16LittleEndian(attribute.Slice(20));
                return valueLength <= length && valueOffset <= length - valueLength ? SuperblockText.Utf16(attribute.Slice(valueOffset, (int)valueLength)) : null;
            }

            offset += (int)length;
        }

        return null;
    }
}

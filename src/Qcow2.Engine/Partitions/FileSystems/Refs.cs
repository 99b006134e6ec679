using System.Buffers.Binary;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>ReFS: its boot sector.</summary>
internal static class Refs
{
    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        ReadOnlySpan<byte> boot = volume.At(0, 512);
        if (boot.IsEmpty || !boot.Slice(3).StartsWith("ReFS\0\0\0\0"u8))
        {
            return null;
        }

        uint sectorSize = BinaryPrimitives.ReadUInt32LittleEndian(boot.Slice(32));
        uint clusterSectors = BinaryPrimitives.ReadUInt32LittleEndian(boot.Slice(36));
        return new VolumeSignature("ReFS")
        {
            Version = $"{boot[40]}.{boot[41]}",
            Uuid = BinaryPrimitives.ReadUInt64LittleEndian(boot.Slice(56)).ToString("X16", System.Globalization.CultureInfo.InvariantCulture),
            Size = SuperblockText.Product(BinaryPrimitives.ReadUInt64LittleEndian(boot.Slice(24)), sectorSize),
            BlockSize = SuperblockText.Product(clusterSectors, sectorSize),
        };
    }
}

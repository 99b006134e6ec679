using System.Buffers.Binary;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>A container of APFS (Apple File System Reference, Container, nx_superblock_t). Its volumes have the labels.</summary>
internal static class Apfs
{
    private const uint SuperblockType = 0x8000_0001;

    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        ReadOnlySpan<byte> block = volume.At(0, 96);
        if (block.IsEmpty || !block.Slice(32).StartsWith("NXSB"u8) || BinaryPrimitives.ReadUInt32LittleEndian(block.Slice(24)) != SuperblockType)
        {
            return null;
        }

        uint blockSize = BinaryPrimitives.ReadUInt32LittleEndian(block.Slice(36));
        return new VolumeSignature("apfs")
        {
            Uuid = SuperblockText.Uuid(block.Slice(72, 16)),
            Size = SuperblockText.Product(BinaryPrimitives.ReadUInt64LittleEndian(block.Slice(40)), blockSize),
            BlockSize = blockSize,
        };
    }
}

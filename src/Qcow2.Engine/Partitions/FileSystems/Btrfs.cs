using System.Buffers.Binary;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>Btrfs (On-disk Format, Superblock).</summary>
internal static class Btrfs
{
    private const long SuperblockOffset = 64 << 10;

    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        ReadOnlySpan<byte> block = volume.At(SuperblockOffset, 1024);
        if (block.IsEmpty || !block.Slice(0x40).StartsWith("_BHRfS_M"u8))
        {
            return null;
        }

        return new VolumeSignature("btrfs")
        {
            Label = SuperblockText.Utf8(block.Slice(0x12b, 256)),
            Uuid = SuperblockText.Uuid(block.Slice(0x20, 16)),
            Size = SuperblockText.Product(BinaryPrimitives.ReadUInt64LittleEndian(block.Slice(0x70)), 1),
            BlockSize = BinaryPrimitives.ReadUInt32LittleEndian(block.Slice(0x90)),
        };
    }
}

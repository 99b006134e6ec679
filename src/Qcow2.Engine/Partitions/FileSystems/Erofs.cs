using System.Buffers.Binary;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>EROFS (Linux kernel documentation, EROFS on-disk format).</summary>
internal static class Erofs
{
    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        ReadOnlySpan<byte> block = volume.At(1024, 128);
        if (block.IsEmpty || BinaryPrimitives.ReadUInt32LittleEndian(block) != 0xe0f5_e1e2 || block[12] is < 9 or > 16)
        {
            return null;
        }

        return new VolumeSignature("erofs")
        {
            Label = SuperblockText.Utf8(block.Slice(64, 16)),
            Uuid = SuperblockText.Uuid(block.Slice(48, 16)),
            Size = SuperblockText.Product(BinaryPrimitives.ReadUInt32LittleEndian(block.Slice(36)), 1UL << block[12]),
            BlockSize = 1L << block[12],
        };
    }
}

using System.Buffers.Binary;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>SquashFS 4 (Linux kernel documentation, Squashfs 4.0 Filesystem).</summary>
internal static class SquashFs
{
    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        ReadOnlySpan<byte> block = volume.At(0, 96);
        return block.StartsWith("hsqs"u8) && BinaryPrimitives.ReadUInt16LittleEndian(block.Slice(28)) == 4
            ? new VolumeSignature("squashfs")
            {
                Version = $"4.{BinaryPrimitives.ReadUInt16LittleEndian(block.Slice(30))}",
                Size = SuperblockText.Product(BinaryPrimitives.ReadUInt64LittleEndian(block.Slice(40)), 1),
                BlockSize = BinaryPrimitives.ReadUInt32LittleEndian(block.Slice(12)),
            }
            : null;
    }
}

using System.Buffers.Binary;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>HFS Plus and HFSX (Apple Technical Note TN1150, Volume Header). The label is in the catalogue, which is not read.</summary>
internal static class HfsPlus
{
    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        ReadOnlySpan<byte> block = volume.At(1024, 512);
        if (block.IsEmpty)
        {
            return null;
        }

        bool isPlus = block.StartsWith("H+\0\x04"u8);
        uint blockSize = BinaryPrimitives.ReadUInt32BigEndian(block.Slice(40));
        return (isPlus || block.StartsWith("HX\0\x05"u8)) && blockSize >= 512 && (blockSize & (blockSize - 1)) == 0
            ? new VolumeSignature("hfsplus")
            {
                Version = isPlus ? "4" : "5",
                Size = SuperblockText.Product(BinaryPrimitives.ReadUInt32BigEndian(block.Slice(44)), blockSize),
                BlockSize = blockSize,
            }
            : null;
    }
}

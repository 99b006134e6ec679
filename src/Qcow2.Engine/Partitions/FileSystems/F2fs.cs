using System.Buffers.Binary;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>F2FS (Linux kernel documentation, Flash-Friendly File System, On-disk Layout).</summary>
internal static class F2fs
{
    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        ReadOnlySpan<byte> block = volume.At(1024, 1536);
        if (block.IsEmpty || BinaryPrimitives.ReadUInt32LittleEndian(block) != 0xf2f5_2010 || BinaryPrimitives.ReadUInt32LittleEndian(block.Slice(16)) is not (>= 12 and <= 16 and uint shift))
        {
            return null;
        }

        return new VolumeSignature("f2fs")
        {
            Version = $"{BinaryPrimitives.ReadUInt16LittleEndian(block.Slice(4))}.{BinaryPrimitives.ReadUInt16LittleEndian(block.Slice(6))}",
            Label = SuperblockText.Utf16(block.Slice(124, 1024)),
            Uuid = SuperblockText.Uuid(block.Slice(108, 16)),
            Size = SuperblockText.Product(BinaryPrimitives.ReadUInt64LittleEndian(block.Slice(36)), 1UL << (int)shift),
            BlockSize = 1L << (int)shift,
        };
    }
}

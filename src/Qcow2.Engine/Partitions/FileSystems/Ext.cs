using System.Buffers.Binary;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>ext2, ext3 and ext4, told apart by what a driver of each understands (ext4 Data Structures and Algorithms, section 4.1: The Super Block).</summary>
internal static class Ext
{
    private const uint HasJournal = 0x4;
    private const uint IsJournal = 0x8;
    private const uint Has64Bit = 0x80;
    private const uint HasMetadataSums = 0x400;

    /// <summary>Sparse superblocks, large files, B-trees in directories.</summary>
    private const uint Ext2ReadOnly = 0x1 | 0x2 | 0x4;

    /// <summary>Types in directories, groups of descriptors.</summary>
    private const uint Ext2Incompatible = 0x2 | 0x10;

    /// <summary>The same, and a journal that must be replayed.</summary>
    private const uint Ext3Incompatible = Ext2Incompatible | 0x4;

    private const int SumField = 0x3fc;

    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        ReadOnlySpan<byte> block = volume.At(1024, 1024);
        if (block.IsEmpty || block[0x38] != 0x53 || block[0x39] != 0xef)
        {
            return null;
        }

        uint compatible = U32(block, 0x5c);
        uint incompatible = U32(block, 0x60);
        uint readOnly = U32(block, 0x64);
        uint logBlockSize = U32(block, 0x18);
        if (logBlockSize > 6 || U32(block, 0x4) == 0
            || ((readOnly & HasMetadataSums) != 0 && ~Crc32C.Of(block.Slice(0, SumField)) != U32(block, SumField)))
        {
            return null;
        }

        bool isReadAsExt2 = (readOnly & ~Ext2ReadOnly) == 0;
        string type = (incompatible & IsJournal) != 0 ? "jbd"
            : isReadAsExt2 && (compatible & HasJournal) == 0 && (incompatible & ~Ext2Incompatible) == 0 ? "ext2"
            : isReadAsExt2 && (compatible & HasJournal) != 0 && (incompatible & ~Ext3Incompatible) == 0 ? "ext3"
            : "ext4";
        long blockSize = 1024L << (int)logBlockSize;
        ulong blocks = U32(block, 0x4) | ((incompatible & Has64Bit) != 0 ? (ulong)U32(block, 0x150) << 32 : 0);
        return new VolumeSignature(type)
        {
            Label = SuperblockText.Utf8(block.Slice(0x78, 16)),
            Uuid = SuperblockText.Uuid(block.Slice(0x68, 16)),
            Size = SuperblockText.Product(blocks, (ulong)blockSize),
            BlockSize = blockSize,
        };
    }

    private static uint U32(ReadOnlySpan<byte> block, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(block.Slice(offset));
}

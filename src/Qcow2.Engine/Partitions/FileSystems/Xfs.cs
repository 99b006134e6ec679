using System.Buffers.Binary;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>XFS (XFS Algorithms and Data Structures, chapter Allocation Groups, Superblocks).</summary>
internal static class Xfs
{
    private const int SumField = 224;

    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        ReadOnlySpan<byte> block = volume.At(0, 512);
        if (!block.StartsWith("XFSB"u8))
        {
            return null;
        }

        uint blockSize = BinaryPrimitives.ReadUInt32BigEndian(block.Slice(4));
        ushort sectorSize = BinaryPrimitives.ReadUInt16BigEndian(block.Slice(102));
        if (blockSize is < 512 or > 65536 || (blockSize & (blockSize - 1)) != 0 || blockSize != 1u << (block[120] & 31)
            || sectorSize is < 512 or > 32768 || (sectorSize & (sectorSize - 1)) != 0
            || BinaryPrimitives.ReadUInt32BigEndian(block.Slice(88)) == 0 || BinaryPrimitives.ReadUInt32BigEndian(block.Slice(84)) == 0)
        {
            return null;
        }

        bool hasSum = (BinaryPrimitives.ReadUInt16BigEndian(block.Slice(100)) & 0xf) == 5;
        if (hasSum && (volume.At(0, sectorSize) is not { IsEmpty: false } sector
            || Crc32C.OfAllBut(sector, SumField) != BinaryPrimitives.ReadUInt32LittleEndian(sector.Slice(SumField))))
        {
            return null;
        }

        return new VolumeSignature("xfs")
        {
            Label = SuperblockText.Utf8(block.Slice(108, 12)),
            Uuid = SuperblockText.Uuid(block.Slice(32, 16)),
            Size = SuperblockText.Product(BinaryPrimitives.ReadUInt64BigEndian(block.Slice(8)), blockSize),
            BlockSize = blockSize,
        };
    }
}

using System.Buffers.Binary;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>Swap space of Linux, whose mark ends its first page; pages have 4 to 64 KiB. A machine that sleeps has written another mark there.</summary>
internal static class Swap
{
    private const int MarkLength = 10;

    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        for (int page = 4 << 10; page <= 64 << 10; page *= 2)
        {
            ReadOnlySpan<byte> mark = volume.At(page - MarkLength, MarkLength);
            if (mark.IsEmpty)
            {
                return null;
            }

            if (mark.StartsWith("S1SUSPEND"u8) || mark.StartsWith("S2SUSPEND"u8) || mark.StartsWith("ULSUSPEND"u8) || mark.StartsWith("LINHIB0001"u8))
            {
                return Describe("swsuspend", volume, page) is VolumeSignature asleep ? asleep with { Version = null } : new VolumeSignature("swsuspend") { BlockSize = page };
            }

            if (mark.SequenceEqual("SWAPSPACE2"u8))
            {
                return Describe("swap", volume, page);
            }

            if (mark.SequenceEqual("SWAP-SPACE"u8))
            {
                return new VolumeSignature("swap") { Version = "0", BlockSize = page };
            }
        }

        return null;
    }

    private static VolumeSignature? Describe(string type, VolumeBytes volume, int page)
    {
        ReadOnlySpan<byte> header = volume.At(1024, 512);
        bool isLittle = BinaryPrimitives.ReadUInt32LittleEndian(header) == 1;
        bool isBig = BinaryPrimitives.ReadUInt32BigEndian(header) == 1;
        if (!isLittle && !isBig)
        {
            return null;
        }

        uint lastPage = isLittle ? BinaryPrimitives.ReadUInt32LittleEndian(header.Slice(4)) : BinaryPrimitives.ReadUInt32BigEndian(header.Slice(4));
        return new VolumeSignature(type)
        {
            Version = "1",
            Label = SuperblockText.Utf8(header.Slice(28, 16)),
            Uuid = SuperblockText.Uuid(header.Slice(12, 16)),
            Size = SuperblockText.Product(lastPage + 1UL, (ulong)page),
            BlockSize = page,
        };
    }
}

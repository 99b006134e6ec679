using System.Buffers.Binary;
using System.Globalization;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>
/// A member of an array of Linux (md): the superblock of version 0.90 or 1.0 lies at its end, that of 1.1 at its start and that of 1.2 at 4 KiB
/// (Linux RAID wiki, RAID superblock formats).
/// </summary>
internal static class LinuxRaid
{
    private const uint Magic = 0xa92b_4efc;
    private const int Reserved = 64 << 10;

    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        if (volume.Length > Reserved)
        {
            VolumeSignature? atEnd = Version0(volume, (volume.Length & -Reserved) - Reserved) ?? Version1(volume, (volume.Length & -4096) - 8192, "1.0");
            if (atEnd is not null)
            {
                return atEnd;
            }
        }

        return Version1(volume, 0, "1.1") ?? Version1(volume, 4096, "1.2");
    }

    private static VolumeSignature? Version0(VolumeBytes volume, long offset)
    {
        ReadOnlySpan<byte> block = volume.At(offset, 64);
        if (block.IsEmpty)
        {
            return null;
        }

        bool isLittle = BinaryPrimitives.ReadUInt32LittleEndian(block) == Magic;
        if (!isLittle && BinaryPrimitives.ReadUInt32BigEndian(block) != Magic)
        {
            return null;
        }

        uint major = Word(block, 4, isLittle);
        uint minor = Word(block, 8, isLittle);
        long size = (long)Word(block, 32, isLittle) << 10;
        if (major != 0 || offset < size)
        {
            return null;
        }

        // The id is four numbers, of which the first has another place than the rest; it is written with the most significant digit first.
        Span<byte> id = stackalloc byte[16];
        for (int i = 0; i < (minor >= 90 ? 4 : 1); i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(id.Slice(4 * i), Word(block, i == 0 ? 20 : 48 + (4 * i), isLittle));
        }

        return new VolumeSignature("linux_raid_member")
        {
            Version = string.Format(CultureInfo.InvariantCulture, "{0}.{1}.{2}", major, minor, Word(block, 12, isLittle)),
            Uuid = SuperblockText.Uuid(id),
            Size = size,
            MarkOffset = offset,
        };
    }

    private static VolumeSignature? Version1(VolumeBytes volume, long offset, string version)
    {
        ReadOnlySpan<byte> block = volume.At(offset, 256);
        if (block.IsEmpty || BinaryPrimitives.ReadUInt32LittleEndian(block) != Magic || BinaryPrimitives.ReadUInt32LittleEndian(block.Slice(4)) != 1
            || BinaryPrimitives.ReadUInt64LittleEndian(block.Slice(144)) != (ulong)offset / 512)
        {
            return null;
        }

        return new VolumeSignature("linux_raid_member")
        {
            Version = version,
            Label = SuperblockText.Utf8(block.Slice(32, 32)),
            Uuid = SuperblockText.Uuid(block.Slice(16, 16)),
            Size = SuperblockText.Product(BinaryPrimitives.ReadUInt64LittleEndian(block.Slice(136)), 512),
            MarkOffset = offset,
        };
    }

    private static uint Word(ReadOnlySpan<byte> block, int offset, bool isLittle)
        => isLittle ? BinaryPrimitives.ReadUInt32LittleEndian(block.Slice(offset)) : BinaryPrimitives.ReadUInt32BigEndian(block.Slice(offset));
}

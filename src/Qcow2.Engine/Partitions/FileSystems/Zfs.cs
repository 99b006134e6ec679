using System.Buffers.Binary;
using System.Globalization;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>
/// A device of a ZFS pool (ZFS On-Disk Specification, chapter 1): four labels of 256 KiB, two at each end, each with a list of names and values in XDR.
/// </summary>
internal static class Zfs
{
    private const int LabelSize = 256 << 10;
    private const int ListOffset = 16 << 10;
    private const int Uint64 = 8;
    private const int Text = 9;

    /// <summary>What is looked for stands in the list's first pages; the rest describes devices.</summary>
    private const int LookedAt = 4096;

    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        long end = volume.Length & -LabelSize;
        return Label(volume, 0) ?? Label(volume, LabelSize) ?? Label(volume, end - (2 * LabelSize)) ?? Label(volume, end - LabelSize);
    }

    private static VolumeSignature? Label(VolumeBytes volume, long label)
    {
        ReadOnlySpan<byte> list = volume.At(label + ListOffset, LookedAt);

        // XDR, of any machine; then the version of the list, which is 0.
        if (label < 0 || list.IsEmpty || list[0] != 1 || list[1] > 1 || BinaryPrimitives.ReadUInt32BigEndian(list.Slice(4)) != 0)
        {
            return null;
        }

        ulong? version = null;
        ulong? pool = null;
        string? name = null;
        for (int offset = 12; offset <= list.Length - 12;)
        {
            uint size = BinaryPrimitives.ReadUInt32BigEndian(list.Slice(offset));
            if (size < 20 || size > list.Length - offset)
            {
                break;
            }

            ReadOnlySpan<byte> pair = list.Slice(offset, (int)size);
            offset += (int)size;
            uint nameLength = BinaryPrimitives.ReadUInt32BigEndian(pair.Slice(8));
            if (nameLength > size - 20)
            {
                continue;
            }

            ReadOnlySpan<byte> key = pair.Slice(12, (int)nameLength);
            int valueOffset = 12 + (((int)nameLength + 3) & -4);
            if (valueOffset > pair.Length - 12)
            {
                continue;
            }

            ReadOnlySpan<byte> value = pair.Slice(valueOffset);
            uint type = BinaryPrimitives.ReadUInt32BigEndian(value);
            if (type == Uint64 && value.Length >= 16)
            {
                ulong number = BinaryPrimitives.ReadUInt64BigEndian(value.Slice(8));
                version = key.SequenceEqual("version"u8) ? number : version;
                pool = key.SequenceEqual("pool_guid"u8) ? number : pool;
            }
            else if (type == Text && key.SequenceEqual("name"u8))
            {
                uint length = BinaryPrimitives.ReadUInt32BigEndian(value.Slice(8));
                name = length <= value.Length - 12 ? SuperblockText.Utf8(value.Slice(12, (int)length)) : null;
            }
        }

        return pool is not ulong id
            ? null
            : new VolumeSignature("zfs_member")
            {
                Version = version?.ToString(CultureInfo.InvariantCulture),
                Label = name,
                Uuid = id.ToString(CultureInfo.InvariantCulture),
                MarkOffset = label,
            };
    }
}

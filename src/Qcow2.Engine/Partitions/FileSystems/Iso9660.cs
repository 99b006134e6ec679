using System.Buffers.Binary;
using System.Text;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>
/// A CD or DVD (ECMA-119, section 8.4), and the longer name that Joliet has for it. Its date of change stands for an id, as with blkid.
/// </summary>
internal static class Iso9660
{
    private const int FirstDescriptor = 16;
    private const int SectorSize = 2048;
    private const int MostDescriptors = 16;

    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        ReadOnlySpan<byte> primary = default;
        string? joliet = null;
        for (int i = FirstDescriptor; i < FirstDescriptor + MostDescriptors; i++)
        {
            ReadOnlySpan<byte> descriptor = volume.At(i * (long)SectorSize, SectorSize);
            if (descriptor.IsEmpty || !descriptor.Slice(1).StartsWith("CD001"u8) || descriptor[0] == 0xff)
            {
                break;
            }

            ReadOnlySpan<byte> escape = descriptor.Slice(88, 3);
            if (descriptor[0] == 1 && primary.IsEmpty)
            {
                primary = descriptor;
            }
            else if (descriptor[0] == 2 && (escape.SequenceEqual("%/@"u8) || escape.SequenceEqual("%/C"u8) || escape.SequenceEqual("%/E"u8)))
            {
                joliet ??= SuperblockText.Utf16BigEndian(descriptor.Slice(40, 32));
            }
        }

        if (primary.IsEmpty)
        {
            return null;
        }

        string? label = SuperblockText.Utf8(primary.Slice(40, 32));

        // Joliet has room for 16 characters, so that it may have the beginning of the same name.
        bool isSame = joliet is null || (label is not null && label.StartsWith(joliet, StringComparison.Ordinal));
        int blockSize = BinaryPrimitives.ReadUInt16LittleEndian(primary.Slice(128));
        return new VolumeSignature("iso9660")
        {
            Label = isSame ? label : joliet,
            Uuid = Date(primary.Slice(830, 17)) ?? Date(primary.Slice(813, 17)),
            Size = SuperblockText.Product(BinaryPrimitives.ReadUInt32LittleEndian(primary.Slice(80)), (ulong)blockSize),
            BlockSize = blockSize,
            SharesPlace = true,
        };
    }

    /// <summary>Sixteen digits with dashes; null where they are none, or all zeros.</summary>
    private static string? Date(ReadOnlySpan<byte> date)
    {
        var text = new StringBuilder(22);
        bool isSet = date[16] != 0;
        for (int i = 0; i < 16; i++)
        {
            if (date[i] is < (byte)'0' or > (byte)'9')
            {
                return null;
            }

            isSet |= date[i] != (byte)'0';
            text.Append(i >= 4 && i % 2 == 0 ? "-" : "").Append((char)date[i]);
        }

        return isSet ? text.ToString() : null;
    }
}

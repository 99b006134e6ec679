using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>
/// UDF, which DVDs and the media of Windows have beside ISO 9660 (ECMA-167: part 2, section 9, the volume recognition sequence; part 3, section 10, descriptors).
/// Its id is what blkid makes of the name of the set of volumes.
/// </summary>
internal static class Udf
{
    private const int First = 16;
    private const int Most = 16;
    private const int RecognitionSize = 2048;
    private const int AnchorSector = 256;
    private const int PrimaryDescriptor = 1;
    private const int Anchor = 2;
    private const int LogicalDescriptor = 6;
    private const int Terminator = 8;

    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        for (int i = First; i < First + Most; i++)
        {
            ReadOnlySpan<byte> descriptor = volume.At(i * (long)RecognitionSize, 8);
            if (descriptor.IsEmpty)
            {
                return null;
            }

            ReadOnlySpan<byte> id = descriptor.Slice(1, 5);
            if (id.SequenceEqual("NSR02"u8) || id.SequenceEqual("NSR03"u8))
            {
                return Describe(volume, 2048) ?? Describe(volume, 512) ?? Describe(volume, 4096) ?? new VolumeSignature("udf") { SharesPlace = true };
            }

            if (!id.SequenceEqual("CD001"u8) && !id.SequenceEqual("BEA01"u8) && !id.SequenceEqual("BOOT2"u8))
            {
                return null;
            }
        }

        return null;
    }

    private static VolumeSignature? Describe(VolumeBytes volume, int sectorSize)
    {
        ReadOnlySpan<byte> anchor = volume.At((long)AnchorSector * sectorSize, 512);
        if (anchor.IsEmpty || Tag(anchor) != Anchor)
        {
            return null;
        }

        var found = new VolumeSignature("udf") { SharesPlace = true, BlockSize = sectorSize };
        uint location = BinaryPrimitives.ReadUInt32LittleEndian(anchor.Slice(20));
        for (int i = 0; i < Most; i++)
        {
            ReadOnlySpan<byte> descriptor = volume.At((location + (long)i) * sectorSize, 512);
            switch (descriptor.IsEmpty ? Terminator : Tag(descriptor))
            {
                case PrimaryDescriptor:
                    found = found with { Uuid = Id(Text(descriptor.Slice(72, 128))) };
                    break;
                case LogicalDescriptor:
                    found = found with { Label = Text(descriptor.Slice(84, 128))?.TrimEnd() };
                    break;
                case Terminator:
                    return found;
            }
        }

        return found;
    }

    private static int Tag(ReadOnlySpan<byte> descriptor) => BinaryPrimitives.ReadUInt16LittleEndian(descriptor);

    /// <summary>A text in a field whose last byte is its length, and whose first says how many bits a character has.</summary>
    private static string? Text(ReadOnlySpan<byte> field)
    {
        int length = Math.Min(field[field.Length - 1], (byte)(field.Length - 1));
        if (length < 2)
        {
            return null;
        }

        byte[] text = field.Slice(1, length - 1).ToArray();
        return field[0] == 16 ? Encoding.BigEndianUnicode.GetString(text) : string.Concat(text.Select(one => (char)one)).TrimEnd('\0');
    }

    /// <summary>The first 16 characters where they are digits; else what is one stays, and the rest is written in digits.</summary>
    private static string? Id(string? set)
    {
        if (set is not { Length: >= 16 })
        {
            return null;
        }

        static bool IsHex(char one) => one is (>= '0' and <= '9') or (>= 'a' and <= 'f') or (>= 'A' and <= 'F');
        int digits = set.Take(16).TakeWhile(IsHex).Count();
        int kept = digits == 16 ? 16 : digits >= 8 ? 8 : 0;
        string rest = string.Concat(Encoding.UTF8.GetBytes(set.Substring(kept)).Take((16 - kept) / 2).Select(one => one.ToString("x2", CultureInfo.InvariantCulture)));
        return set.Substring(0, kept).ToLowerInvariant() + rest;
    }
}

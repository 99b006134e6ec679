using System.Buffers.Binary;
using System.Text;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>A physical volume of LVM2: its label is in one of the first four sectors (LVM2's <c>lib/format_text/layout.h</c> and <c>lib/label/label.h</c> describe it).</summary>
internal static class Lvm
{
    private const int SectorSize = 512;
    private const int Sectors = 4;
    private const int SummedFrom = 20;
    private const uint InitialSum = 0xf597_a6cf;

    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        for (int i = 0; i < Sectors; i++)
        {
            ReadOnlySpan<byte> sector = volume.At(i * SectorSize, SectorSize);
            if (!sector.StartsWith("LABELONE"u8) || !sector.Slice(24).StartsWith("LVM2 001"u8) || BinaryPrimitives.ReadUInt64LittleEndian(sector.Slice(8)) != (ulong)i
                || Crc32.Append(InitialSum, sector.Slice(SummedFrom)) != BinaryPrimitives.ReadUInt32LittleEndian(sector.Slice(16)))
            {
                continue;
            }

            uint header = BinaryPrimitives.ReadUInt32LittleEndian(sector.Slice(20));
            return header > SectorSize - 40
                ? null
                : new VolumeSignature("LVM2_member")
                {
                    Version = "LVM2 001",
                    Uuid = Uuid(sector.Slice((int)header, 32)),
                    Size = SuperblockText.Product(BinaryPrimitives.ReadUInt64LittleEndian(sector.Slice((int)header + 32)), 1),
                };
        }

        return null;
    }

    /// <summary>Thirty-two characters in groups of 6, 4, 4, 4, 4, 4 and 6.</summary>
    private static string Uuid(ReadOnlySpan<byte> id)
    {
        var text = new StringBuilder(38);
        for (int i = 0; i < id.Length; i++)
        {
            text.Append(i is 6 or 10 or 14 or 18 or 22 or 26 ? "-" : "").Append((char)id[i]);
        }

        return text.ToString();
    }
}

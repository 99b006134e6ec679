using System.Buffers.Binary;

namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>LUKS1 and LUKS2 (LUKS On-Disk Format Specification 1.2.3, section 2.1; LUKS2 On-Disk Format Specification 1.1.2, section 2.1).</summary>
internal static class Luks
{
    private static ReadOnlySpan<byte> Magic => [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe];

    internal static VolumeSignature? Probe(VolumeBytes volume)
    {
        ReadOnlySpan<byte> header = volume.At(0, 512);
        if (!header.StartsWith(Magic))
        {
            return null;
        }

        ushort version = BinaryPrimitives.ReadUInt16BigEndian(header.Slice(6));
        if (version is not (1 or 2))
        {
            return null;
        }

        return new VolumeSignature("crypto_LUKS")
        {
            Version = version == 1 ? "1" : "2",
            Label = version == 1 ? null : SuperblockText.Utf8(header.Slice(24, 48)),
            Uuid = SuperblockText.Utf8(header.Slice(168, 40)),
        };
    }
}

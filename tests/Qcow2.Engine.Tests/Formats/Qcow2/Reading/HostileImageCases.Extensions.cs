using System.Buffers.Binary;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>Header extensions, the backing file's name, and what they say about encryption.</summary>
public static partial class HostileImageCases
{
    private const uint Unknown = 0x1234_5678;

    private static IEnumerable<HostileImageCase> Extensions()
    {
        foreach (uint length in (uint[])[Cluster, Cluster - 112 - 7, 0x7fff_ffff, 0xffff_fff8, 0xffff_ffff])
        {
            yield return ReadByUs($"extension of {length} bytes runs past the first cluster", () => WithExtension().SetU32(116, length));
        }

        yield return Refused(
            "extension runs into the backing file's name",
            () => WithExtension(backingName: "base.raw").SetU32(116, 32), Qcow2ErrorCode.BackingFormatMissing, "base.raw");
        yield return Accepted(
            "extensions fill the first cluster, without an end mark",
            () => new ImageBuilder { ClusterBits = 9, Extensions = [(Unknown, new byte[512 - 112 - 8])] }.Build());
        yield return Accepted("feature name table with half an entry", () => new ImageBuilder { Extensions = [(ExtensionType.FeatureNames, new byte[47])] }.Build());

        foreach (uint size in (uint[])[1024, 0x8000_0000, 0xffff_ffff])
        {
            yield return Refused(
                $"backing_file_size {size}", () => Backed().SetU32(HeaderOffset.BackingFileSize, size),
                Qcow2ErrorCode.LimitExceeded, "backing_file_size", Text(size));
        }

        foreach (ulong offset in (ulong[])[Cluster - 7, Cluster, Cluster + 1, 1UL << 32, 1UL << 63, ulong.MaxValue])
        {
            yield return Refused(
                $"backing_file_offset {offset:x}", () => Backed().SetU64(HeaderOffset.BackingFileOffset, offset),
                Qcow2ErrorCode.ImageCorrupt, "backing_file_offset", "0x" + offset.ToString("x", null));
        }

        foreach (uint offset in (uint[])[1, 72, 104])
        {
            yield return RefusedByUs(
                $"backing_file_offset {offset} lies in the header", () => Backed().SetU64(HeaderOffset.BackingFileOffset, offset),
                Qcow2ErrorCode.ImageCorrupt, "backing_file_offset", Hex(offset));
        }

        yield return Refused(
            "backing_file_offset lies in an extension", () => WithExtension(backingName: "base.raw").SetU64(HeaderOffset.BackingFileOffset, 120),
            Qcow2ErrorCode.ReferenceForbidden, "backing file");

        // A name of no bytes is none.
        foreach (uint offset in (uint[])[1, 72, 104, 512, Cluster])
        {
            yield return Accepted(
                $"backing_file_offset {offset} of a name without bytes", () => Plain().SetU64(HeaderOffset.BackingFileOffset, offset));
        }

        yield return ReadByUs(
            "backing_file_offset of a name without bytes lies in an extension", () => WithExtension().SetU64(HeaderOffset.BackingFileOffset, 124));
        yield return ReadByUs(
            "backing_file_offset of a name without bytes lies in the start of an extension", () => WithExtension().SetU64(HeaderOffset.BackingFileOffset, 116));
        yield return Accepted(
            "the last of two backing formats counts",
            () => new ImageBuilder
            {
                Extensions = [(ExtensionType.BackingFormat, [.. "nonsense"u8])], BackingFormat = "raw", BackingName = "base.raw",
            }.Build()) with { Files = new Dictionary<string, byte[]> { ["base.raw"] = new byte[65536] } };

        yield return Unreadable("LUKS without its header extension", () => new ImageBuilder { CryptMethod = 2 }.Build(), 0, "crypt_method") with
        {
            Qemu = QemuVerdict.RefusesToOpen,
        };
        yield return ReadByUs(
            "LUKS header extension with crypt_method 0",
            () => new ImageBuilder { Extensions = [(ExtensionType.CryptHeader, new byte[16])] }.Build());
        yield return ReadByUs(
            "LUKS header extension of 8 bytes with crypt_method 0",
            () => new ImageBuilder { Extensions = [(ExtensionType.CryptHeader, new byte[8])] }.Build());
        yield return Unreadable(
            "LUKS header extension with crypt_method 1",
            () => new ImageBuilder { CryptMethod = 1, Extensions = [(ExtensionType.CryptHeader, new byte[16])] }.Build(), 0, "passphrase") with
        {
            Code = Qcow2ErrorCode.PassphraseRequired, Qemu = QemuVerdict.RefusesToOpen,
        };

        yield return Luks("LUKS header extension of 8 bytes", LuksExtensionLength, 8, Qcow2ErrorCode.ImageCorrupt, "extension", "8");
        yield return Luks("LUKS header misaligned", LuksOffset, 0x5200, Qcow2ErrorCode.ImageCorrupt, "0x5200");
        yield return Luks("LUKS header past the end", LuksOffset, 1UL << 40, Qcow2ErrorCode.ImageCorrupt, "0x10000000000");
        yield return Luks("LUKS header at 2^63", LuksOffset, 1UL << 63, Qcow2ErrorCode.LimitExceeded, "encryption header");
        yield return Luks("LUKS header is another structure", LuksOffset, 0, Qcow2ErrorCode.ImageCorrupt, "LUKS");
        yield return Luks("LUKS header shorter than its fixed part", LuksLength, 591, Qcow2ErrorCode.ImageCorrupt, "591");
        yield return Luks("LUKS header of 0 bytes", LuksLength, 0, Qcow2ErrorCode.ImageCorrupt, "0");
    }

    // From the start of the header extension: type, length, then the offset and the length of the LUKS header.
    private const int LuksExtensionLength = 0;
    private const int LuksOffset = 8;
    private const int LuksLength = 16;

    private static BuiltImage WithExtension(string? backingName = null)
        => new ImageBuilder { Extensions = [(Unknown, new byte[16])], BackingName = backingName }.Build();

    private static BuiltImage Backed() => new ImageBuilder { BackingName = "base.raw", BackingFormat = "raw" }.Build();

    private static HostileImageCase Luks(string name, int field, ulong value, Qcow2ErrorCode code, params string[] fragments)
        => new(name, () => ChangedLuks(field, value), HostileStage.Open, code, fragments, QemuVerdict.RefusesToOpen) { Passphrase = "xts" };

    private static byte[] ChangedLuks(int field, ulong value)
    {
        byte[] image = File.ReadAllBytes(Fixtures.Get("luks-xts-128").Path);
        int extension = image.AsSpan(0, Cluster).IndexOf((ReadOnlySpan<byte>)[0x05, 0x37, 0xbe, 0x77]);
        ulong stored = field == LuksExtensionLength ? ((ulong)ExtensionType.CryptHeader << 32) | value : value;
        BinaryPrimitives.WriteUInt64BigEndian(image.AsSpan(extension + field), stored);
        return image;
    }
}

using System.Buffers.Binary;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Images;

/// <summary>Header extensions, the backing file's name, and what they say about encryption.</summary>
public static partial class HostileImageCases
{
    private const uint Unknown = 0x1234_5678;

    private static IEnumerable<HostileImageCase> Extensions()
    {
        foreach (uint length in (uint[])[Cluster, Cluster - 112 - 7, 0x7fff_ffff, 0xffff_fff8, 0xffff_ffff])
        {
            yield return Refused(
                $"extension of {length} bytes runs past the first cluster", () => WithExtension().SetU32(116, length), Qcow2ErrorCode.ImageCorrupt, "12345678");
        }

        yield return Refused(
            "extension runs into the backing file's name",
            () => WithExtension(backingName: "base.raw").SetU32(116, 32), Qcow2ErrorCode.ImageCorrupt, "12345678");
        yield return Accepted(
            "extensions fill the first cluster, without an end mark",
            () => new ImageBuilder { ClusterBits = 9, Extensions = [(Unknown, new byte[512 - 112 - 8])] }.Build());
        yield return RefusedByUs(
            "backing format twice",
            () => new ImageBuilder { Extensions = [(ExtensionType.BackingFormat, [.. "raw"u8])], BackingFormat = "qcow2", BackingName = "base" }.Build(),
            Qcow2ErrorCode.ImageCorrupt);
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
            Qcow2ErrorCode.ImageCorrupt, "12345678");

        yield return Refused(
            "LUKS without its header extension", () => new ImageBuilder { CryptMethod = 2 }.Build(), Qcow2ErrorCode.ImageCorrupt, "crypt_method");
        foreach (uint method in (uint[])[0, 1])
        {
            yield return Refused(
                $"LUKS header extension with crypt_method {method}",
                () => new ImageBuilder { CryptMethod = method, Extensions = [(ExtensionType.CryptHeader, new byte[16])] }.Build(),
                Qcow2ErrorCode.ImageCorrupt, "crypt_method", Text(method));
        }

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

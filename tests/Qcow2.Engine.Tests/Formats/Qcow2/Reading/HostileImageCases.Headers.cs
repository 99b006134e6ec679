using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>Single header fields.</summary>
public static partial class HostileImageCases
{
    private static IEnumerable<HostileImageCase> Headers()
    {
        yield return Refused("magic is zero", () => Plain().SetU32(HeaderOffset.Magic, 0), Qcow2ErrorCode.NotQcow2);
        yield return Refused("magic of VHDX", () => Plain().Overwrite(0, "vhdxfile"u8), Qcow2ErrorCode.NotQcow2);
        yield return Refused("magic is off by a bit", () => Plain().SetU8(3, 0xfa), Qcow2ErrorCode.NotQcow2);

        for (int length = 0; length <= 112; length++)
        {
            int cut = length;
            Qcow2ErrorCode code = cut < 4 ? Qcow2ErrorCode.NotQcow2 : Qcow2ErrorCode.ImageCorrupt;

            // To qemu-img the file goes on with zeros; with a whole header it opens, and its disk is empty.
            yield return Refused($"file of {cut} bytes", () => Plain().Truncate(cut), code) with
            {
                Qemu = cut < 104 ? QemuVerdict.RefusesToOpen : QemuVerdict.Accepts,
            };
        }

        yield return Refused("file of 71 bytes, version 2", () => new ImageBuilder { Version = 2 }.Build().Truncate(71), Qcow2ErrorCode.ImageCorrupt) with
        {
            Qemu = QemuVerdict.Accepts,
        };

        foreach (uint version in (uint[])[0, 1, 4, 0xffff_ffff])
        {
            yield return Refused(
                $"version {version}", () => Plain().SetU32(HeaderOffset.Version, version), version == 1 ? Qcow2ErrorCode.NotQcow2 : Qcow2ErrorCode.UnsupportedFeature, "version", Text(version));
        }

        foreach (uint bits in (uint[])[0, 8, 22, 31, 32, 63, 64, 0xffff_ffff])
        {
            yield return Refused(
                $"cluster_bits {bits}", () => Plain().SetU32(HeaderOffset.ClusterBits, bits), Qcow2ErrorCode.LimitExceeded, "cluster_bits", Text(bits));
        }

        foreach (ulong size in (ulong[])[ulong.MaxValue, 1UL << 63, (1UL << 63) - 1, 1UL << 62, (8UL << 40) + 1])
        {
            yield return Refused(
                $"size {size}", () => Plain().SetU64(HeaderOffset.Size, size), Qcow2ErrorCode.LimitExceeded, "size", Text(size));
        }

        // One L1 entry covers 2 MiB.
        yield return Refused(
            "size needs one L1 entry more", () => Plain().SetU64(HeaderOffset.Size, (2 << 20) + 512), Qcow2ErrorCode.ImageCorrupt, "l1_size", "1");
        yield return Accepted("size is all that the L1 table covers", () => Plain().SetU64(HeaderOffset.Size, 2 << 20));
        yield return Accepted("size is no multiple of a sector", () => Plain().SetU64(HeaderOffset.Size, 65537));
        yield return Accepted("size is zero", () => new ImageBuilder { Size = 0, DataClusters = 0 }.Build()) with { ReadOffset = -1 };

        yield return Accepted(
            "size is zero, and its L1 table without entries is past the end",
            () => new ImageBuilder { Size = 0, DataClusters = 0 }.Build().SetU64(HeaderOffset.L1TableOffset, 1 << 24)) with { ReadOffset = -1 };

        foreach (uint method in (uint[])[3, 0xffff_ffff])
        {
            yield return Refused(
                $"crypt_method {method}", () => Plain().SetU32(HeaderOffset.CryptMethod, method),
                Qcow2ErrorCode.UnsupportedFeature, "crypt_method", Text(method));
        }

        foreach (uint length in (uint[])[0, 72, 96, 100])
        {
            yield return Refused(
                $"header_length {length}", () => Plain().SetU32(HeaderOffset.HeaderLength, length), Qcow2ErrorCode.ImageCorrupt, "header_length", Text(length));
        }

        yield return RefusedByUs(
            "header_length is no multiple of 8", () => Plain().SetU32(HeaderOffset.HeaderLength, 108), Qcow2ErrorCode.ImageCorrupt, "header_length", "108");
        foreach (uint length in (uint[])[Cluster + 8, 0x8000_0000, 0xffff_fff8])
        {
            yield return Refused(
                $"header_length {length} is longer than a cluster", () => Plain().SetU32(HeaderOffset.HeaderLength, length),
                Qcow2ErrorCode.ImageCorrupt, "header_length", Text(length));
        }

        yield return Accepted("header_length is a whole cluster", () => Plain().SetU32(HeaderOffset.HeaderLength, Cluster));

        foreach (uint order in (uint[])[7, 255, 0xffff_ffff])
        {
            yield return Refused(
                $"refcount_order {order}", () => Plain().SetU32(HeaderOffset.RefcountOrder, order),
                Qcow2ErrorCode.LimitExceeded, "refcount_order", Text(order));
        }

        yield return Refused(
            "compression bit without a type", () => Plain().SetU64(HeaderOffset.IncompatibleFeatures, 8), Qcow2ErrorCode.ImageCorrupt, "compression_type", "0");
        yield return Refused(
            "compression bit without the field", () => new ImageBuilder { HeaderLength = 104, IncompatibleFeatures = 8 }.Build(),
            Qcow2ErrorCode.ImageCorrupt, "compression_type");
        yield return Refused(
            "compression type without the bit", () => Plain().SetU8(HeaderOffset.CompressionType, 1), Qcow2ErrorCode.ImageCorrupt, "compression_type", "1");
        foreach (byte type in (byte[])[2, 255])
        {
            yield return Refused(
                $"compression_type {type}", () => new ImageBuilder { CompressionType = type }.Build(),
                Qcow2ErrorCode.UnsupportedFeature, "compression_type", Text(type));
        }

        foreach (int bit in (int[])[5, 31, 63])
        {
            yield return Refused(
                $"incompatible bit {bit}", () => Plain().FlipU64(HeaderOffset.IncompatibleFeatures, 1UL << bit),
                Qcow2ErrorCode.UnsupportedFeature, Text((ulong)bit));
        }

        yield return Accepted("every unknown compatible bit", () => Plain().SetU64(HeaderOffset.CompatibleFeatures, ~1UL));
        yield return Accepted("every unknown autoclear bit", () => Plain().SetU64(HeaderOffset.AutoclearFeatures, ~3UL));
        yield return Accepted("dirty", () => Plain().SetU64(HeaderOffset.IncompatibleFeatures, 1));
        yield return Accepted("corrupt", () => Plain().SetU64(HeaderOffset.IncompatibleFeatures, 2));
        yield return Accepted(
            "version 2 with rubbish where version 3 has fields",
            () => new ImageBuilder { Version = 2, Extensions = [(0x11111111, [.. Enumerable.Repeat((byte)0xff, 40)])] }.Build());
        yield return Refused(
            "extended L2 entries in clusters of 8 KiB",
            () => new ImageBuilder { ClusterBits = 13 }.Build().SetU64(HeaderOffset.IncompatibleFeatures, 16),
            Qcow2ErrorCode.ImageCorrupt, "cluster_bits", "13");
    }
}

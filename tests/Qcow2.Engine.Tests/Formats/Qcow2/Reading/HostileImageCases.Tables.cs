using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>Where the header says the L1 table and the refcount table lie.</summary>
public static partial class HostileImageCases
{
    private static IEnumerable<HostileImageCase> Tables()
    {
        const uint MaxL1Entries = (32 << 20) / 8;
        const uint MaxRefcountClusters = (8 << 20) / Cluster;
        int end = Plain().Bytes.Length;

        foreach (uint size in (uint[])[MaxL1Entries + 1, 0x8000_0000, 0xffff_ffff])
        {
            yield return Refused(
                $"l1_size {size}", () => Plain().SetU32(HeaderOffset.L1Size, size), Qcow2ErrorCode.LimitExceeded, "l1_size", Text(size));
        }

        yield return Refused("l1_size 0", () => Plain().SetU32(HeaderOffset.L1Size, 0), Qcow2ErrorCode.ImageCorrupt, "l1_size", "0");
        yield return RefusedByUs(
            "l1_size at the limit in a small file", () => Plain().SetU32(HeaderOffset.L1Size, MaxL1Entries), Qcow2ErrorCode.ImageCorrupt, "L1 table");
        yield return RefusedByUs(
            "L1 table runs past the end", () => Plain().SetU32(HeaderOffset.L1Size, 5000), Qcow2ErrorCode.ImageCorrupt, "L1 table", "40000");
        yield return RefusedByUs(
            "file ends before the L1 table", () => Truncated(image => image.L1Offset), Qcow2ErrorCode.ImageCorrupt, "L1 table");
        yield return RefusedByUs(
            "file ends inside the L1 table", () => Truncated(image => image.L1Offset + 4), Qcow2ErrorCode.ImageCorrupt, "L1 table");

        // A table at the header: its first entry is the magic number and the version.
        yield return UnreadableByUs("l1_table_offset 0", () => Plain().SetU64(HeaderOffset.L1TableOffset, 0), 0);
        yield return RefusedByUs(
            "l1_table_offset at the end of the file", () => Plain().SetU64(HeaderOffset.L1TableOffset, (ulong)end),
            Qcow2ErrorCode.ImageCorrupt, "L1 table", Hex(end));
        foreach ((int field, string name) in ((int, string)[])[
            (HeaderOffset.L1TableOffset, "l1_table_offset"),
            (HeaderOffset.RefcountTableOffset, "refcount_table_offset")])
        {
            foreach (ulong offset in (ulong[])[1, 512, 0x3001, 0x3200])
            {
                yield return Refused(
                    $"{name} {Hex((long)offset)}", () => Plain().SetU64(field, offset), Qcow2ErrorCode.ImageCorrupt, name, Hex((long)offset));
            }

            foreach (ulong offset in (ulong[])[ulong.MaxValue - Cluster + 1, 1UL << 63, 1UL << 56])
            {
                yield return Refused(
                    $"{name} {offset:x}", () => Plain().SetU64(field, offset), Qcow2ErrorCode.LimitExceeded, name) with
                {
                    Qemu = offset == 1UL << 56 ? QemuVerdict.Accepts : QemuVerdict.RefusesToOpen,
                };
            }
        }

        foreach (uint clusters in (uint[])[MaxRefcountClusters + 1, 0x8000_0000, 0xffff_ffff])
        {
            yield return Refused(
                $"refcount_table_clusters {clusters}", () => Plain().SetU32(HeaderOffset.RefcountTableClusters, clusters),
                Qcow2ErrorCode.LimitExceeded, "refcount_table_clusters", Text(clusters));
        }

        yield return Refused(
            "refcount_table_clusters 0", () => Plain().SetU32(HeaderOffset.RefcountTableClusters, 0), Qcow2ErrorCode.ImageCorrupt, "refcount_table_clusters", "0");

        // Only a writer and the check need the counts.
        yield return Accepted(
            "refcount_table_offset at the end of the file", () => Plain().SetU64(HeaderOffset.RefcountTableOffset, (ulong)end));
        yield return Accepted(
            "refcount table at the limit in a small file", () => Plain().SetU32(HeaderOffset.RefcountTableClusters, MaxRefcountClusters));
        yield return Accepted("refcount block past the end", () => Changed(image => image.SetU64(image.RefcountTableOffset, 0x100000)));
        yield return Accepted("refcount block misaligned", () => Changed(image => image.SetU64(image.RefcountTableOffset, 0x2200)));
        yield return Accepted("refcounts all zero", () => Changed(image => image.Overwrite(image.RefcountBlockOffset, new byte[Cluster])));
    }

    /// <summary>The plain image, cut off where the caller says.</summary>
    private static BuiltImage Truncated(Func<BuiltImage, int> length)
    {
        BuiltImage image = Plain();
        return image.Truncate(length(image));
    }

    /// <summary>The plain image after a change that has to know where things lie.</summary>
    private static BuiltImage Changed(Func<BuiltImage, BuiltImage> change) => change(Plain());
}

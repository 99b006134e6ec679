using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>Extended L2 entries: the subcluster bitmap contradicts itself or the entry.</summary>
public static partial class HostileImageCases
{
    private const int ExtendedCluster = 1 << 14;

    private static IEnumerable<HostileImageCase> ExtendedL2()
    {
        yield return Unreadable("every subcluster both written and zero", () => Subclusters(ulong.MaxValue), ExtendedCluster);
        yield return Unreadable("first subcluster both written and zero", () => Subclusters(0x0000_0001_0000_0001), ExtendedCluster);
        yield return Unreadable(
            "written subclusters of a cluster that is nowhere",
            () =>
            {
                BuiltImage image = Subclusters(0xffff_ffff);
                return image.SetU64(image.L2EntryOffset(1), 0);
            },
            ExtendedCluster);
        yield return Unreadable(
            "extended L2 entry is misaligned",
            () =>
            {
                BuiltImage image = Subclusters(0xffff_ffff);
                return image.FlipU64(image.L2EntryOffset(1), 512);
            },
            ExtendedCluster);
        yield return Accepted("no subcluster written in an allocated cluster", () => Subclusters(0)) with
        {
            ReadOffset = ExtendedCluster,
            Sector = new byte[512],
        };
        yield return Accepted(
            "zero flag in an extended L2 entry means nothing",
            () =>
            {
                BuiltImage image = Subclusters(0xffff_ffff);
                return image.FlipU64(image.L2EntryOffset(1), 1);
            }) with
        {
            ReadOffset = ExtendedCluster,
            Sector = ImageBuilder.Content(ExtendedCluster, 512),
        };
        yield return Accepted(
            "compressed cluster with a subcluster bitmap",
            () =>
            {
                byte[] content = ImageBuilder.Content(0, ExtendedCluster);
                BuiltImage image = new ImageBuilder
                {
                    ClusterBits = 14,
                    ExtendedL2 = true,
                    DataClusters = 0,
                    CompressedStreams = [Deflate(content)],
                }.Build();
                return image.SetU64(image.L2EntryOffset(0) + 8, 0xffff_ffff);
            }) with
        {
            Sector = ImageBuilder.Content(0, 512),
        };
    }

    /// <summary>Two written clusters of 16 KiB; the second with a subcluster bitmap of the caller's.</summary>
    private static BuiltImage Subclusters(ulong bitmap)
    {
        BuiltImage image = new ImageBuilder { ClusterBits = 14, ExtendedL2 = true }.Build();
        return image.SetU64(image.L2EntryOffset(1) + 8, bitmap);
    }
}

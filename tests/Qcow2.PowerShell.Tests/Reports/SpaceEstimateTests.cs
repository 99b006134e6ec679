using Qcow2.Engine;
using Qcow2.Engine.Format;
using Qcow2.PowerShell.Reports;

namespace Qcow2.PowerShell.Tests.Reports;

public sealed class SpaceEstimateTests
{
    private const long MiB = 1L << 20;

    [Theory]
    [InlineData(100, 60L, 0, 40L)]
    [InlineData(100, 60L, 10, 50L)]
    [InlineData(100, 99L, 0, 0L)] // A hundredth is no gain.
    [InlineData(100, 120L, 0, 0L)] // Clusters in use can be holes of the file.
    [InlineData(100, 5L, 10, 100L)]
    [InlineData(100, null, 0, null)]
    public void Reclaimable_is_what_no_cluster_in_use_needs(long allocated, long? used, long leaked, long? expected)
        => Assert.Equal(expected * MiB, SpaceEstimate.Reclaimable(Image(allocated, 1_000), used * MiB, leaked * MiB));

    [Fact]
    public void Nothing_is_promised_of_what_Optimize_refuses()
    {
        foreach (Action<Qcow2ImageInfo> change in new Action<Qcow2ImageInfo>[]
        {
            info => info.Format = "vhdx",
            info => info.DataFile = "data.raw",
            info => info.EncryptionMethod = EncryptionMethod.Aes,
            info => info.Snapshots = [new Qcow2Snapshot { VmStateSize = 1 }],
        })
        {
            Qcow2ImageInfo image = Image(100, 1_000);
            change(image);
            Assert.Null(SpaceEstimate.Reclaimable(image, 0, 0));
        }

        Qcow2ImageInfo luks = Image(100, 1_000);
        luks.EncryptionMethod = EncryptionMethod.Luks;
        Assert.Equal(100 * MiB, SpaceEstimate.Reclaimable(luks, 0, 0));
    }

    [Theory]
    [InlineData(100, 1_000, 20L, true)]
    [InlineData(100, 1_000, 19L, false)]
    [InlineData(20, 1_000, 15L, false)] // Too little to speak of.
    [InlineData(1_117, 1_000, null, true)]
    [InlineData(1_116, 1_000, null, false)]
    public void Overgrown_is_what_is_notably_larger_than_it_needs_to_be(long allocated, long size, long? reclaimable, bool expected)
        => Assert.Equal(expected, SpaceEstimate.Overgrown(Image(allocated, size), reclaimable * MiB) is not null);

    [Fact]
    public void Sizes_that_no_file_has_are_no_trouble()
    {
        Qcow2ImageInfo image = Image(0, 0);
        image.Size = image.AllocatedSize = long.MaxValue;
        Assert.Null(SpaceEstimate.Overgrown(image, null));
        image.Size = long.MinValue;
        Assert.NotNull(SpaceEstimate.Overgrown(image, null));
        var totals = new ReportTotals([.. Enumerable.Repeat(ImageDescription.Of(new Qcow2ImageInfo { Path = "x", Size = long.MaxValue, AllocatedSize = -5 }), 3)]);
        Assert.Equal((long.MaxValue, 0), (totals.Virtual, totals.Used));
    }

    private static Qcow2ImageInfo Image(long allocated, long size)
        => new() { Path = "disk.qcow2", Format = "qcow2", ClusterSize = 65_536, AllocatedSize = allocated * MiB, Size = size * MiB };
}

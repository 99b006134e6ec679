using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>The clusters in use, as the refcounts say it.</summary>
public sealed class UsedBytesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Clusters_count_that_have_a_refcount_whatever_else_the_file_has()
    {
        BuiltImage image = Build();
        long all = image.Bytes.Length;
        Assert.Equal(all, Count(image));
        Assert.Equal(all, Count(image.Append(new byte[3 * image.ClusterSize])));
        image.SetU16(RefcountOf(image, image.DataOffsets[1]), 0);
        Assert.Equal(all - image.ClusterSize, Count(image));
        image.SetU16(RefcountOf(image, image.DataOffsets[0]), ushort.MaxValue);
        Assert.Equal(all - image.ClusterSize, Count(image));
    }

    [Fact]
    public void Where_refcounts_cannot_be_read_there_is_no_number()
    {
        Assert.Null(Count(Build().SetU64(HeaderOffset.RefcountTableOffset, 1)));
        BuiltImage image = Build();
        Assert.Null(Count(image.SetU64(image.RefcountTableOffset, 512 + (ulong)image.RefcountBlockOffset)));
        Assert.Null(Count(Build().SetU64(HeaderOffset.IncompatibleFeatures, 1UL << 63)));
        Assert.Equal(Qcow2ErrorCode.NotQcow2, Assert.Throws<Qcow2Exception>(() => Count(Build().SetU32(HeaderOffset.Magic, 0))).Code);
    }

    [LinuxFact]
    public void An_image_in_use_is_read_where_that_is_asked_for()
    {
        BuiltImage image = Build();
        string path = _folder.Write("used.qcow2", image.Bytes);
        using Qcow2Image writer = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true });
        Assert.Equal(Qcow2ErrorCode.ImageLocked, Assert.Throws<Qcow2Exception>(() => Qcow2Checker.CountUsedBytes(path)).Code);
        Assert.Equal(image.Bytes.Length, Qcow2Checker.CountUsedBytes(path, forceShare: true));
    }

    private static BuiltImage Build() => new ImageBuilder { DataClusters = 4 }.Build();

    private static int RefcountOf(BuiltImage image, int offset) => image.RefcountBlockOffset + (offset / image.ClusterSize * sizeof(ushort));

    private long? Count(BuiltImage image) => Qcow2Checker.CountUsedBytes(_folder.Write("image.qcow2", image.Bytes));
}

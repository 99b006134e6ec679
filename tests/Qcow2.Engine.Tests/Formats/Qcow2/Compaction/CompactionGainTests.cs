using Qcow2.Engine.Conversion;
using Qcow2.Engine.Formats.Qcow2.Compaction;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Compaction;

/// <summary>When compacting is worth it: by what a file takes here and by how long it is.</summary>
public sealed class CompactionGainTests : IDisposable
{
    private const int Cluster = 65_536;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1000, 900, 1000, 900, true)] // both shrink
    [InlineData(1000, 1000, 1000, 1000, false)] // neither
    [InlineData(1000, 1000, 5000, 1000, true)] // only the length: holes
    [InlineData(1000, 900, 1000, 1000, true)] // only what it takes
    [InlineData(1000, 1009, 5000, 1000, true)] // a little more here, much less elsewhere
    [InlineData(1000, 1011, 5000, 1000, false)] // materially more here
    [InlineData(1000, 1009, 1000, 995, false)] // gains less than it loses
    [InlineData(1000, 900, 1000, 1010, true)]
    [InlineData(1000, 900, 1000, 1011, false)] // materially longer
    [InlineData(1000, 1001, 1000, 1000, false)]
    [InlineData(1000, 1000, 1000, 1001, false)]
    public void Smaller_by_one_measure_and_not_materially_larger_by_the_other(long allocatedBefore, long allocated, long lengthBefore, long length, bool isWorthwhile)
    {
        var gain = new CompactionGain(allocatedBefore * Cluster, allocated * Cluster, lengthBefore * Cluster, length * Cluster, Cluster);
        Assert.Equal(isWorthwhile, gain.IsWorthwhile);
        Assert.Equal(isWorthwhile, !gain.Reason.Contains("would not be worth it", StringComparison.Ordinal));

        // It never makes the file larger by the measure that decided.
        Assert.True(!isWorthwhile || allocated < allocatedBefore || length < lengthBefore);
    }

    [Fact]
    public void The_reason_names_both_measures()
    {
        Assert.Equal(
            "The compacted file takes as much on this disk and is 131,072 bytes shorter.", new CompactionGain(1 << 20, 1 << 20, 1 << 20, (1 << 20) - 131_072, Cluster).Reason);
        Assert.Equal(
            "The compacted file would not be worth it: it takes 4,096 bytes more on this disk and is as long.", new CompactionGain(1 << 20, (1 << 20) + 4096, 1 << 20, 1 << 20, Cluster).Reason);
    }

    [Fact]
    public void An_image_that_is_long_and_sparse_is_compacted_though_it_takes_no_less_here()
    {
        string path = _folder.File("disk.qcow2");
        byte[] content = new byte[64 << 20];
        new Random(1).NextBytes(content.AsSpan(0, 8 << 20));
        using (Qcow2Image image = Qcow2Image.Create(path, content.Length))
        {
            image.Write(8 << 20, Enumerable.Repeat((byte)1, 56 << 20).ToArray());
            image.Write(0, content.AsSpan(0, 8 << 20));
            image.Discard(8 << 20, 56 << 20); // Holes in front of what stays.
        }

        long lengthBefore = new FileInfo(path).Length;
        long allocatedBefore = Allocated(path);
        Qcow2OptimizeResult result = ImageOptimizer.Optimize(path);

        Assert.True(result.IsReplaced, result.Reason);
        Assert.True(allocatedBefore < 12 << 20, "The host has no holes.");
        Assert.InRange(new FileInfo(path).Length, 8 << 20, lengthBefore / 5);
        Assert.InRange(Allocated(path), 0, allocatedBefore + (allocatedBefore / 100) + Cluster);
        using (Qcow2Image image = Qcow2Image.Open(path))
        {
            Assert.Equal(content, DiskModel.ReadAll(image));
        }

        Qcow2OptimizeResult again = ImageOptimizer.Optimize(path);
        Assert.False(again.IsReplaced, again.Reason);
        Assert.Contains("would not be worth it", again.Reason, StringComparison.Ordinal);
    }

    private static long Allocated(string path)
    {
        using LocalFile file = LocalFile.OpenRead(path);
        return file.AllocatedLength;
    }
}

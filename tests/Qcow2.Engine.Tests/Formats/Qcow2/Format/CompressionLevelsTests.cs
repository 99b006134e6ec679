using Qcow2.Engine.Codecs;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Tests.Codecs;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Format;

public sealed class CompressionLevelsTests
{
    [Theory]
    [InlineData(CompressionType.Deflate, 0)]
    [InlineData(CompressionType.Deflate, 10)]
    [InlineData(CompressionType.Zstd, 0)]
    [InlineData(CompressionType.Zstd, 23)]
    [InlineData(CompressionType.Zstd, -1)]
    public void Level_outside_is_refused_and_the_range_named(CompressionType type, int level)
    {
        ArgumentOutOfRangeException e = Assert.Throws<ArgumentOutOfRangeException>(() => ClusterCodecs.Encoder(type, level));

        Assert.Contains($"{CompressionLevels.Minimum} to {CompressionLevels.Maximum(type)}", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_type_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => ClusterCodecs.Encoder((CompressionType)7));
        Assert.Throws<ArgumentOutOfRangeException>(() => CompressionLevels.Maximum((CompressionType)7));
        Assert.Throws<ArgumentOutOfRangeException>(() => CompressionLevels.Default((CompressionType)7));
    }

    [Theory]
    [InlineData(CompressionType.Deflate, 6)]
    [InlineData(CompressionType.Zstd, 3)]
    public void Default_level_is_qemus(CompressionType type, int level)
    {
        byte[] cluster = ClusterContents.Create("program", 65_536);
        byte[] unnamed = new byte[cluster.Length];
        byte[] named = new byte[cluster.Length];
        using ClusterEncoder first = ClusterCodecs.Encoder(type);
        using ClusterEncoder second = ClusterCodecs.Encoder(type, level);

        Assert.Equal(level, CompressionLevels.Default(type));
        Assert.Equal(first.TryEncode(cluster, unnamed, out int length), second.TryEncode(cluster, named, out int otherLength));
        Assert.Equal(length, otherLength);
        Assert.Equal(unnamed, named);
    }

    [QemuTheory]
    [InlineData(CompressionType.Deflate)]
    [InlineData(CompressionType.Zstd)]
    public void Image_written_by_several_threads_is_what_qemu_reads(CompressionType type)
    {
        using var folder = new TempFolder();
        string path = folder.File("image.qcow2");
        byte[][] clusters = [.. ClusterContents.Names.Select(name => ClusterContents.Create(name, 65_536))];
        var options = new Qcow2CreateOptions { CompressionType = type };
        using (Qcow2Image image = Qcow2Image.Create(path, clusters.Length * 65_536L, options))
        {
            Parallel.For(0, clusters.Length, i => image.WriteCompressed(i * 65_536L, clusters[i]));
        }

        File.WriteAllBytes(folder.File("guest.raw"), [.. clusters.SelectMany(cluster => cluster)]);
        QemuImg.Run("compare", "-f", "qcow2", "-F", "raw", path, folder.File("guest.raw"));
        QemuImg.Run("check", path);
    }
}

using System.IO.Compression;
using System.Text.Json;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Infrastructure;

/// <summary>What the builder builds is what qemu-img takes for a sound image.</summary>
public sealed class ImageBuilderTests
{
    private static readonly Dictionary<string, Func<ImageBuilder>> Variants = new()
    {
        ["default"] = () => new() { },
        ["v2"] = () => new() { Version = 2 },
        ["cluster 512"] = () => new() { ClusterBits = 9, DataClusters = 20, Size = 20 * 512 },
        ["cluster 64K"] = () => new() { ClusterBits = 16 },
        ["cluster 2M"] = () => new() { ClusterBits = 21, DataClusters = 1 },
        ["extended L2"] = () => new() { ClusterBits = 14, ExtendedL2 = true },
        ["refcount 1"] = () => new() { RefcountOrder = 0 },
        ["refcount 2"] = () => new() { RefcountOrder = 1, Snapshots = [new("1", "a")] },
        ["refcount 64"] = () => new() { RefcountOrder = 6, Snapshots = [new("1", "a")] },
        ["odd size"] = () => new() { Size = (4096 * 3) + 512 },
        ["large"] = () => new() { Size = 1UL << 40, ClusterBits = 16 },
        ["header 104"] = () => new() { HeaderLength = 104 },
        ["header 120"] = () => new() { HeaderLength = 120 },
        ["extensions"] = () => new() { Extensions = [(0x12345678, [1, 2, 3]), (0x12345679, [])] },
        ["snapshots"] = () => new() { Snapshots = [new("1", "first"), new("2", "second", 16), new("7", "third", 1024)] },
        ["v2 snapshots"] = () => new() { Version = 2, Snapshots = [new("1", "first", 0)] },
        ["bitmaps"] = () => new() { Bitmaps = [new("a"), new("b", 9, 0)] },
        ["deflate"] = () => Packed(new byte[4096], ImageBuilder.Content(12345, 4096), ImageBuilder.Content(77, 4096)),
        ["deflate extended"] = () => Packed(14, true, ImageBuilder.Content(12345, 16384)),
    };

    public static TheoryData<string> Names => [.. Variants.Keys];

    [QemuTheory, MemberData(nameof(Names))]
    public void Image_passes_the_check_of_qemu_img(string name)
    {
        using var folder = new TempFolder();
        BuiltImage image = Variants[name]().Build();
        string path = folder.Write("image.qcow2", image.Bytes);

        using JsonDocument check = JsonDocument.Parse(QemuImg.Run("check", "-f", "qcow2", "--output=json", path));
        Assert.Equal(0, check.RootElement.GetProperty("check-errors").GetInt32());
        Assert.False(check.RootElement.TryGetProperty("leaks", out _));
        Assert.False(check.RootElement.TryGetProperty("corruptions", out _));

        if (name != "large")
        {
            QemuImg.Run("convert", "-f", "qcow2", "-O", "raw", path, folder.File("raw"));
            Assert.Equal(image.Guest, File.ReadAllBytes(folder.File("raw")));
        }
    }

    [QemuFact]
    public void Names_are_where_qemu_img_looks()
    {
        using var folder = new TempFolder();
        File.WriteAllBytes(folder.File("base.raw"), ImageBuilder.Content(0, 65536));
        ImageBuilder builder = new()
        {
            BackingName = folder.File("base.raw"),
            BackingFormat = "raw",
            Snapshots = [new("1", "first"), new("x", "zweiter Ü")],
            Bitmaps = [new("a"), new("b", 20, 0)],
            DataClusters = 0,
        };
        string path = folder.Write("image.qcow2", builder.Build().Bytes);

        using JsonDocument info = JsonDocument.Parse(QemuImg.Run("info", "--output=json", "-f", "qcow2", path));
        JsonElement root = info.RootElement;
        Assert.Equal(builder.BackingName, root.GetProperty("backing-filename").GetString());
        Assert.Equal("raw", root.GetProperty("backing-filename-format").GetString());
        Assert.Equal(["first", "zweiter Ü"], root.GetProperty("snapshots").EnumerateArray().Select(s => s.GetProperty("name").GetString()));
        JsonElement bitmaps = root.GetProperty("format-specific").GetProperty("data").GetProperty("bitmaps");
        Assert.Equal([65536, 1 << 20], bitmaps.EnumerateArray().Select(b => b.GetProperty("granularity").GetInt32()));

        QemuImg.Run("convert", "-f", "qcow2", "-O", "raw", path, folder.File("raw"));
        Assert.Equal(ImageBuilder.Content(0, 65536), File.ReadAllBytes(folder.File("raw")));
    }

    [Fact]
    public void Offsets_point_at_what_they_name()
    {
        BuiltImage image = new ImageBuilder
        {
            Extensions = [(0x12345678, [1])],
            Snapshots = [new("1", "s")],
            Bitmaps = [new("b")],
            BackingName = "base",
        }.Build();

        Assert.Equal((ulong)image.L1Offset, image.GetU64(HeaderOffset.L1TableOffset));
        Assert.Equal((ulong)image.L2Offset, image.GetU64(image.L1Offset));
        Assert.Equal((ulong)image.DataOffsets[1], image.GetU64(image.L2EntryOffset(1)));
        Assert.Equal((ulong)image.RefcountBlockOffset, image.GetU64(image.RefcountTableOffset));
        Assert.Equal((ulong)image.SnapshotL1Offsets[0], image.GetU64(image.SnapshotEntryOffsets[0]));
        Assert.Equal((ulong)image.BitmapTableOffsets[0], image.GetU64(image.BitmapEntryOffsets[0]));
        Assert.Equal(0x12345678_00000001UL, image.GetU64(image.ExtensionOffset(0x12345678)));
        Assert.Equal("base"u8, image.Bytes.AsSpan(image.BackingNameOffset, 4));
    }

    private static ImageBuilder Packed(params byte[][] contents) => Packed(12, false, contents);

    private static ImageBuilder Packed(int clusterBits, bool extended, params byte[][] contents) => new()
    {
        ClusterBits = clusterBits,
        ExtendedL2 = extended,
        CompressedStreams = [.. contents.Select(Deflate)],
        CompressedContents = contents,
    };

    private static byte[] Deflate(byte[] content)
    {
        var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            deflate.Write(content);
        }

        return packed.ToArray();
    }
}

using Qcow2.Engine.Chains;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Creation;

/// <summary>
/// QEMU shows whole sectors only, so every size that is written is a multiple of 512. Images that have other sizes, which earlier versions and
/// other programs made, are read whole.
/// </summary>
public sealed class WholeSectorTests : IDisposable
{
    private const int OddSize = 1_000_001;
    private const int WholeSize = 1_000_448;

    private readonly TempFolder _folder = new();
    private readonly byte[] _content = new byte[OddSize];

    public WholeSectorTests() => _content.AsSpan().Fill(0x5A);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 512)]
    [InlineData(512, 512)]
    [InlineData(4097, 4608)]
    [InlineData(-1, -1)]
    [InlineData(long.MaxValue, long.MaxValue)]
    [InlineData(long.MaxValue - 511, long.MaxValue - 511)]
    public void Rounds_up(long size, long rounded) => Assert.Equal(rounded, DiskSize.RoundUp(size));

    [Theory]
    [InlineData(2, false, false)]
    [InlineData(3, false, false)]
    [InlineData(3, true, false)]
    [InlineData(3, false, true)]
    public void A_new_disk_has_whole_sectors(int version, bool extendedL2, bool dataFile)
    {
        string path = _folder.File("disk.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(
            path, OddSize, new() { Version = version, ExtendedL2 = extendedL2, DataFile = dataFile ? "disk.data" : null, DataFileRaw = dataFile }))
        {
            Assert.Equal(WholeSize, image.Length);
            image.Write(0, _content);
        }

        AssertShown(path, WholeSize);
        Assert.True(!dataFile || new FileInfo(_folder.File("disk.data")).Length == WholeSize);
    }

    [Fact]
    public void An_overlay_of_an_odd_raw_file_shows_all_of_it()
    {
        _folder.Write("odd.raw", _content);
        string path = _folder.File("overlay.qcow2");
        Qcow2Image.CreateFile(path, null, new() { BackingFile = "odd.raw", BackingFormat = "raw" });
        AssertShown(path, WholeSize);
    }

    [Fact]
    public void An_overlay_of_an_odd_image_has_whole_sectors()
    {
        MakeOdd("odd.qcow2");
        string path = _folder.File("overlay.qcow2");
        Qcow2Image.CreateFile(path, null, new() { BackingFile = "odd.qcow2", BackingFormat = "qcow2" });
        Assert.Equal(WholeSize, Qcow2ImageInfo.Read(path).Size);
        Assert.Equal(Padded(WholeSize), Read(path));
    }

    [Theory]
    [InlineData(OddSize + 512, WholeSize + 512)]
    [InlineData(OddSize, WholeSize)] // The way to mend an odd image.
    [InlineData(WholeSize - 513, WholeSize - 512)]
    public void Resizing_rounds_up(long size, int expected)
    {
        string path = MakeOdd("disk.qcow2");
        using (Qcow2Image image = Qcow2Image.Open(path, new() { Writable = true }))
        {
            Assert.Equal(OddSize, image.Length);
            Assert.Equal(_content, DiskModel.ReadAll(image));
            image.Resize(size, allowShrink: true);
            Assert.Equal(expected, image.Length);
        }

        AssertShown(path, expected);
    }

    [Fact]
    public void A_merge_that_grows_its_destination_rounds_up()
    {
        Qcow2Image.CreateFile(_folder.File("base.qcow2"), 65_536);
        MakeOdd("top.qcow2", new() { BackingFile = "base.qcow2", BackingFormat = "qcow2" });
        ImageMerge.Merge(_folder.File("top.qcow2"));
        AssertShown(_folder.File("base.qcow2"), WholeSize);
    }

    [Fact]
    public void Converting_and_compacting_round_up()
    {
        string odd = MakeOdd("odd.qcow2");
        string copy = _folder.File("copy.qcow2");
        using (Qcow2Image source = Qcow2Image.Open(odd))
        {
            DiskConverter.ConvertToQcow2(source, copy);
        }

        AssertShown(copy, WholeSize);
        ImageOptimizer.Optimize(odd, new ImageOptimizeOptions { ReplacesAlways = true });
        AssertShown(odd, WholeSize);
    }

    [Fact]
    public void An_odd_snapshot_keeps_its_size_and_content_when_its_image_is_compacted_and_when_it_is_applied()
    {
        string path = MakeOdd("disk.qcow2");
        using (Qcow2Image image = Qcow2Image.Open(path, new() { Writable = true }))
        {
            image.CreateSnapshot("odd");
            image.Resize(2 * WholeSize);
        }

        ImageOptimizer.Optimize(path, new ImageOptimizeOptions { ReplacesAlways = true });
        using (Qcow2Image image = Qcow2Image.Open(path, new() { Writable = true }))
        {
            Assert.Equal(_content, DiskModel.ReadAll(image.OpenSnapshot(image.Snapshots[0])));
            image.ApplySnapshot(image.Snapshots[0]);
            Assert.Equal(_content, DiskModel.ReadAll(image));
        }
    }

    /// <summary>An image as earlier versions made it.</summary>
    private string MakeOdd(string name, Qcow2CreateOptions? layout = null)
    {
        string path = _folder.File(name);
        using (Qcow2Image image = Qcow2Image.Create(path, OddSize, layout))
        {
            image.Write(0, _content);
        }

        OddDisk.SetSize(path, OddSize);
        return path;
    }

    private void AssertShown(string path, int size)
    {
        Assert.Equal(size, Qcow2ImageInfo.Read(path).Size);
        Assert.Equal(Padded(size), Read(path));
        if (QemuJudge.Read(path, _folder) is byte[] byQemu)
        {
            Assert.Equal(Padded(size), byQemu);
        }
    }

    private byte[] Padded(int size)
    {
        byte[] content = _content;
        Array.Resize(ref content, size);
        return content;
    }

    private static byte[] Read(string path)
    {
        using Qcow2Image image = Qcow2Image.Open(path);
        return DiskModel.ReadAll(image);
    }
}

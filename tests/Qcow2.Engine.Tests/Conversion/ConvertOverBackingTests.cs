using Qcow2.Engine.Conversion;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>With a backing file, only what differs from it is written.</summary>
public sealed class ConvertOverBackingTests : IDisposable
{
    private const int Size = 2 << 20;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(2, 65_536, false)]
    [InlineData(3, 65_536, false)]
    [InlineData(3, 4096, false)]
    [InlineData(3, 65_536, true)]
    public void Only_units_that_differ_are_written(int version, int clusterSize, bool extended)
    {
        byte[] below = Content(Size);
        byte[] content = [.. below];
        foreach (int at in (int[])[0, 70_000, 70_001, 500_000, Size - 1])
        {
            content[at] ^= 1;
        }

        content.AsSpan(1 << 20, 128 << 10).Clear();
        _folder.Write("base.raw", below);
        using RawDisk source = RawDisk.Open(new MemoryStorage(content));
        string path = _folder.File("copy.qcow2");
        var layout = new Qcow2CreateOptions
        {
            Version = version, ClusterSize = clusterSize, ExtendedL2 = extended, BackingFile = "base.raw", BackingFormat = "raw",
        };

        DiskConverter.ConvertToQcow2(source, path, layout);

        ConversionJudge.AssertImage("backing", content, path);
        int unit = extended ? clusterSize / 32 : clusterSize;
        var expected = new SortedDictionary<long, ExtentKind>();
        for (int start = 0; start < Size; start += unit)
        {
            ReadOnlySpan<byte> now = content.AsSpan(start, unit);
            if (!now.SequenceEqual(below.AsSpan(start, unit)))
            {
                expected.Add(start, version > 2 && now.IndexOfAnyExcept((byte)0) < 0 ? ExtentKind.Zero : ExtentKind.Data);
            }
        }

        using Qcow2Image copy = Qcow2Image.Open(path);
        var found = new SortedDictionary<long, ExtentKind>();
        foreach (DiskExtent extent in copy.GetExtents().Where(extent => extent.Depth == 0))
        {
            for (long start = extent.Offset; start < extent.End; start += unit)
            {
                found.Add(start, extent.Kind);
            }
        }

        Assert.Equal(expected, found);
    }

    [Theory]
    [InlineData(Size / 2)]
    [InlineData(Size + 300_000)]
    [InlineData((Size / 2) + 777)]
    public void Backing_file_may_be_shorter_or_longer(int length)
    {
        byte[] below = Content(length);
        byte[] content = Content(Size - 333);
        content.AsSpan(100_000, 200_000).Clear();
        _folder.Write("base.raw", below);
        using RawDisk source = RawDisk.Open(new MemoryStorage(content));
        string path = _folder.File("copy.qcow2");

        DiskConverter.ConvertToQcow2(source, path, new Qcow2CreateOptions { BackingFile = "base.raw", BackingFormat = "raw" });

        ConversionJudge.AssertImage($"{length}", ConversionJudge.WholeSectors(content), path);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Shared_backing_file_is_not_read(bool compressed)
    {
        string basePath = _folder.File("base.qcow2");
        byte[] content = Compressible(Size);
        using (Qcow2Image below = Qcow2Image.Create(basePath, Size))
        {
            for (int start = 0; start < Size; start += 65_536)
            {
                if (compressed)
                {
                    below.WriteCompressed(start, content.AsSpan(start, 65_536));
                }
                else
                {
                    below.Write(start, content.AsSpan(start, 65_536));
                }
            }
        }

        string top = _folder.File("top.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(top, Size, new Qcow2CreateOptions { BackingFile = "base.qcow2", BackingFormat = "qcow2" }))
        {
            image.Write(65_536 * 3, new byte[] { 200 });
            content[65_536 * 3] = 200;
        }

        using Qcow2Image source = Qcow2Image.Open(top);
        using Qcow2Image shared = Qcow2Image.Open(basePath);
        IEnumerable<DiskExtent> read = DifferingExtents.Of(source.GetExtents(), shared).Where(extent => extent.Kind == ExtentKind.Data);
        Assert.Equal(65_536, read.Sum(extent => extent.Length));
        string path = _folder.File("copy.qcow2");

        DiskConverter.ConvertToQcow2(source, path, new Qcow2CreateOptions { BackingFile = "base.qcow2", BackingFormat = "qcow2" });

        ConversionJudge.AssertImage("shared", content, path);
    }

    [Fact]
    public void Compressed_data_of_a_chain_elsewhere_on_a_joined_disk_differs()
    {
        byte[] content = Compressible(Size);
        string basePath = _folder.File("base.qcow2");
        using (Qcow2Image below = Qcow2Image.Create(basePath, Size))
        {
            for (int start = 0; start < Size; start += 65_536)
            {
                below.WriteCompressed(start, content.AsSpan(start, 65_536));
            }
        }

        string top = _folder.File("top.qcow2");
        Qcow2Image.Create(top, Size, new Qcow2CreateOptions { BackingFile = "base.qcow2", BackingFormat = "qcow2" }).Dispose();
        using var source = new ConcatenatedDisk([RawDisk.Open(new MemoryStorage(new byte[65_536])), Qcow2Image.Open(top)]);
        string path = _folder.File("copy.qcow2");

        DiskConverter.ConvertToQcow2(source, path, new Qcow2CreateOptions { BackingFile = "base.qcow2", BackingFormat = "qcow2" });

        ConversionJudge.AssertImage("joined", [.. new byte[65_536], .. content], path, asksQemu: false);
    }

    private static byte[] Content(int length)
    {
        byte[] content = new byte[length];
        new Random(8).NextBytes(content);
        return content;
    }

    private static byte[] Compressible(int length)
    {
        byte[] content = new byte[length];
        for (int i = 0; i < length; i += 50)
        {
            content[i] = (byte)(i >> 16 | 1);
        }

        return content;
    }
}

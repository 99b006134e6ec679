using System.Buffers.Binary;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Formats.Vhd;
using Qcow2.Engine.Tests.Conversion;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vhd;

/// <summary>New VHD files, byte for byte, and what they are refused for.</summary>
public sealed class VhdWritingTests : IDisposable
{
    private const long GiB = 1L << 30;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Of Windows: 10 MiB and 127 GiB; of the specification's algorithm: the rest.</summary>
    [Theory]
    [InlineData(0, "0/4/17")]
    [InlineData(512, "0/4/17")]
    [InlineData(10 << 20, "301/4/17")]
    [InlineData(40 << 20, "963/5/17")]
    [InlineData(1 << 30, "2080/16/63")]
    [InlineData(127 * GiB, "65278/16/255")]
    [InlineData(2040 * GiB, "65535/16/255")]
    [InlineData(32 * 1024 * GiB, "65535/16/255")]
    public void Geometry_is_the_usual_one(long size, string geometry) => Assert.Equal(geometry, VhdGeometry.Of(size).ToString());

    /// <summary>The places, the sizes and the fields of one that Windows 10 made (footer at 0 and at the end, dynamic header, table, bitmaps).</summary>
    [Fact]
    public void Dynamic_file_is_laid_out_as_by_Windows()
    {
        byte[] content = new byte[10 << 20];
        content[0] = 1;
        content[(7 << 20) + 5] = 2;

        byte[] file = Convert(content, new VhdCreateOptions());

        const int FirstData = 0x2000;
        const int Stride = (2 << 20) + 4096;
        Assert.Equal(6_311_936 - Stride, file.Length); // The one of Windows has a block more.
        byte[] footer = file[^512..];
        Assert.Equal(footer, file[..512]);
        Assert.Equal(Footer(2, 10 << 20, "012d0411", 3, 512), footer.AsSpan(0, 64).ToArray());
        Assert.Equal("cxsparse"u8.ToArray(), file[512..520]);
        Assert.Equal(ulong.MaxValue, BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan(520)));
        Assert.Equal(0x600u, BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan(528)));
        Assert.Equal([0x10000u, 5u, 2u << 20], Words(file, 536, 3));
        Assert.False(file.AsSpan(512 + 40, 1024 - 40).ContainsAnyExcept((byte)0));
        Assert.Equal([15u, uint.MaxValue, uint.MaxValue, 15 + (Stride / 512), uint.MaxValue], Words(file, 0x600, 5));
        Assert.False(file.AsSpan(0x600 + 20, 512 - 20).ContainsAnyExcept((byte)0xff));
        foreach (int block in (int[])[FirstData, FirstData + Stride])
        {
            Assert.False(file.AsSpan(block - 512, 512).ContainsAnyExcept((byte)0xff));
        }

        Assert.Equal(1, file[FirstData]);
        Assert.Equal(2, file[FirstData + Stride + (1 << 20) + 5]);
    }

    /// <summary>8,192 bytes, of which the last 512 are the footer: so is one by Windows 8.1.</summary>
    [Theory]
    [InlineData(40 << 20)]
    [InlineData(1 << 30)]
    public void Empty_dynamic_file_is_as_long_as_by_Windows(long size)
    {
        string path = _folder.File("disk.vhd");
        Options().CreateFile(path, size, overwrite: false, null, default);
        Assert.Equal(8192, new FileInfo(path).Length);
    }

    [Theory]
    [InlineData(0, "00000411")]
    [InlineData(511, "00000411")]
    [InlineData(10_000_000, "011f0411")]
    public void Fixed_file_is_the_disk_and_a_footer(int size, string geometry)
    {
        byte[] content = new byte[size];
        new Random(size).NextBytes(content);

        byte[] file = Convert(content, new VhdCreateOptions { IsFixed = true });

        int whole = (size + 511) & -512;
        Assert.Equal([.. content, .. new byte[whole - size]], file[..^512]);
        Assert.Equal(Footer(2, whole, geometry, 2, ulong.MaxValue), file.AsSpan(whole, 64).ToArray());
        Assert.Equal(whole, DiskFormats.Get("vhd").ReadInformation(_folder.File("disk.vhd")).Size);
    }

    [Fact]
    public void Empty_disk_can_be_made()
    {
        byte[] file = Convert([], new VhdCreateOptions());
        Assert.Equal(8192, file.Length);
        Assert.Equal(0, DiskFormats.Get("vhd").ReadInformation(_folder.File("disk.vhd")).Size);
    }

    /// <summary>More than a page of the table, and data on both sides of its boundary. 2,040 GiB are the most that there can be.</summary>
    [Theory]
    [InlineData(40, 2 << 20)]
    [InlineData(40, 512 << 10)]
    [InlineData(2040, 2 << 20)]
    public void Large_table_is_right(int gibibytes, int blockSize)
    {
        long boundary = 16_384L * blockSize;
        long size = gibibytes * GiB;
        long[] places = [0, boundary - 512, boundary, boundary + blockSize, size - 512];
        string path = _folder.File("disk.vhd");
        using (Qcow2Image source = SparseSource.Make(_folder.File("source.qcow2"), size, places))
        {
            DiskConverter.Convert(source, path, new VhdCreateOptions { BlockSize = blockSize });
        }

        SparseSource.AssertCopied(path, "vhd", size, places);    }

    [Theory]
    [InlineData(null, 2040 * GiB)]
    [InlineData(2 << 20, 2040 * GiB)]
    [InlineData(512 << 10, 4_161_758L * (512 << 10))]
    public void Dynamic_disk_can_be_filled_to_its_end_or_is_refused(int? blockSize, long limit)
    {
        var layout = new VhdCreateOptions { BlockSize = blockSize };
        Assert.Equal(limit, layout.DiskSizeFor(limit));
        Assert.True(ImageMeasure.Of(limit, layout).FullyAllocatedBytes <= 512L * uint.MaxValue);
        var error = Assert.Throws<Qcow2Exception>(() => layout.DiskSizeFor(limit + 1));
        Assert.Equal(Qcow2ErrorCode.LimitExceeded, error.Code);
        Assert.Contains("VHDX", error.Message);
    }

    [Fact]
    public void Fixed_disk_can_be_larger_for_Azure()
    {
        var layout = new VhdCreateOptions { IsFixed = true };
        Assert.Equal(AzureDisk.MaxSize, layout.DiskSizeFor(AzureDisk.MaxSize));
        Assert.Equal(Qcow2ErrorCode.LimitExceeded, Assert.Throws<Qcow2Exception>(() => layout.DiskSizeFor(AzureDisk.MaxSize + 1)).Code);
        Assert.Equal(Qcow2ErrorCode.LimitExceeded, Assert.Throws<Qcow2Exception>(() => new VhdCreateOptions { AzureReady = true }.DiskSizeFor(AzureDisk.MaxSize + 1)).Code);
    }

    [Theory]
    [InlineData(1 << 20)]
    [InlineData(0)]
    [InlineData(3 << 20)]
    public void Other_blocks_than_those_of_Windows_are_refused(int size)
        => Assert.Throws<ArgumentException>(() => new VhdCreateOptions { BlockSize = size }.DiskSizeFor(1));

    [Fact]
    public void Fixed_disk_has_no_blocks()
    {
        Assert.Throws<ArgumentException>(() => new VhdCreateOptions { BlockSize = 2 << 20, IsFixed = true }.DiskSizeFor(1));
        Assert.Throws<ArgumentException>(() => new VhdCreateOptions { BlockSize = 2 << 20, AzureReady = true }.DiskSizeFor(1));
    }

    [Theory]
    [InlineData(0, 20)]
    [InlineData((20 << 20) + 1, 21)]
    [InlineData(21 << 20, 21)]
    [InlineData((64 << 20) - 512, 64)]
    public void Azure_takes_what_was_made_for_it(int size, int mebibytes)
    {
        byte[] content = new byte[size];
        content.AsSpan(0, Math.Min(size, 9)).Fill(7);

        byte[] file = Convert(content, new VhdCreateOptions { AzureReady = true });

        Assert.Equal((mebibytes << 20) + 512, file.Length);
        Qcow2ImageInfo info = DiskFormats.Get("vhd").ReadInformation(_folder.File("disk.vhd"));
        Assert.Equal("Fixed", info.Subformat);
        Assert.Empty(AzureDisk.ProblemsOf(info));
    }

    [Fact]
    public void What_Azure_would_not_take_is_said()
    {
        Convert(new byte[1 << 20], new VhdCreateOptions());
        Assert.Collection(
            AzureDisk.ProblemsOf(DiskFormats.Get("vhd").ReadInformation(_folder.File("disk.vhd"))),
            problem => Assert.Contains("Dynamic", problem),
            problem => Assert.Contains("20 MiB", problem));
        Convert(new byte[(20 << 20) + 512], new VhdCreateOptions { IsFixed = true });
        Assert.Contains("whole number of MiB", Assert.Single(AzureDisk.ProblemsOf(DiskFormats.Get("vhd").ReadInformation(_folder.File("disk.vhd")))));
        Assert.Contains("vhdx", Assert.Single(AzureDisk.ProblemsOf(new Qcow2ImageInfo { Format = "vhdx", Size = 20 << 20 })));
        var large = new Qcow2ImageInfo { Format = "vhd", Subformat = "Fixed", Size = AzureDisk.MaxSize + AzureDisk.SizeUnit, FileSize = AzureDisk.MaxSize + AzureDisk.SizeUnit + 512 };
        Assert.Contains("32 TiB", Assert.Single(AzureDisk.ProblemsOf(large)));
        Assert.Contains("footer", Assert.Single(AzureDisk.ProblemsOf(new Qcow2ImageInfo { Format = "vhd", Subformat = "Fixed", Size = 20 << 20, FileSize = (20 << 20) + 511 })));
    }

    [QemuFact]
    public void Qemu_shows_the_exact_size()
    {
        foreach (VhdCreateOptions layout in (VhdCreateOptions[])[new(), new() { IsFixed = true }])
        {
            Convert(new byte[(10 << 20) + 512], layout);
            Assert.Contains($"\"virtual-size\": {(10 << 20) + 512},", QemuImg.Run("info", "-f", "vpc", "--output=json", _folder.File("disk.vhd")));
        }
    }

    private static VhdCreateOptions Options() => (VhdCreateOptions)BlockLayouts.Foreseeable(new VhdCreateOptions());

    private byte[] Convert(byte[] content, VhdCreateOptions layout)
    {
        string path = _folder.File("disk.vhd");
        using (RawDisk source = RawDisk.Open(new MemoryStorage(content)))
        {
            DiskConverter.Convert(source, path, BlockLayouts.Foreseeable(layout), overwrite: true);
        }

        return File.ReadAllBytes(path);
    }

    /// <summary>What a footer begins with, up to its check sum.</summary>
    private static byte[] Footer(uint features, long size, string geometry, uint type, ulong dataOffset)
        =>
        [
            .. "conectix"u8, .. Big(features), .. Big(0x0001_0000), .. Big((uint)(dataOffset >> 32)), .. Big((uint)dataOffset),
            .. Big((uint)(new DateTime(2026, 1, 2, 3, 4, 5) - new DateTime(2000, 1, 1)).TotalSeconds),
            .. "win "u8, .. Big(0x000a_0000), .. "Wi2k"u8, .. Big((uint)(size >> 32)), .. Big((uint)size), .. Big((uint)(size >> 32)), .. Big((uint)size),
            .. System.Convert.FromHexString(geometry), .. Big(type),
        ];

    private static byte[] Big(uint value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    private static uint[] Words(byte[] bytes, int at, int count)
        => [.. Enumerable.Range(0, count).Select(i => BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at + (4 * i))))];
}

using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Formats.Vhd;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vhd;

/// <summary>Footers and headers as programs write them, byte by byte.</summary>
public sealed class VhdFooterTests
{
    /// <summary>qemu-img create -f vpc 10M.</summary>
    private const string QemuFooter = """
        636f6e6563746978 00000002 00010000 0000000000000200 329d7de1 71656d75 00050003 5769326b
        0000000000a07000 0000000000a07000 012e 04 11 00000003 ffffee01 df00ab5da7bd4f9691463e12074a7cc7 00
        """;

    private const string QemuHeader = """
        6378737061727365 ffffffffffffffff 0000000000000600 00010000 00000006 00200000 fffff471
        """;

    [Fact]
    public void Footer_of_qemu_img_is_taken_apart()
    {
        VhdFooter footer = VhdFooter.Parse(Bytes(QemuFooter, 512));
        Assert.Equal(2u, footer.Features);
        Assert.Equal(0x0001_0000u, footer.FormatVersion);
        Assert.Equal(512ul, footer.DataOffset);
        Assert.Equal(0x329d7de1u, footer.TimeStamp);
        Assert.Equal(new DateTime(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc).AddSeconds(0x329d7de1), footer.CreationTime);
        Assert.Equal("qemu", VhdText.Code(footer.CreatorApplication));
        Assert.Equal("5.3", VhdText.Version(footer.CreatorVersion));
        Assert.Equal("Wi2k", VhdText.Code(footer.CreatorHostOs));
        Assert.Equal(10_514_432ul, footer.OriginalSize);
        Assert.Equal(10_514_432ul, footer.CurrentSize);
        Assert.Equal(new VhdGeometry(302, 4, 17), footer.Geometry);
        Assert.Equal(VhdDiskType.Dynamic, footer.DiskType);
        Assert.Equal(0xffffee01u, footer.Checksum);
        Assert.True(footer.HasValidChecksum);
        Assert.Equal(Convert.FromHexString("df00ab5da7bd4f9691463e12074a7cc7"), footer.UniqueId.ToByteArray());
        Assert.False(footer.IsSavedState);
        footer.RequireSupported();
    }

    [Fact]
    public void Header_of_qemu_img_is_taken_apart()
    {
        VhdDynamicHeader header = VhdDynamicHeader.Parse(Bytes(QemuHeader, 1024));
        Assert.Equal(0x600ul, header.TableOffset);
        Assert.Equal(0x0001_0000u, header.HeaderVersion);
        Assert.Equal(6u, header.MaxTableEntries);
        Assert.Equal(2u << 20, header.BlockSize);
        Assert.True(header.HasValidChecksum);
        Assert.Equal(Guid.Empty, header.ParentUniqueId);
        Assert.Equal("", header.ParentName);
        Assert.Empty(header.Locators);
        header.RequireUsable(10_514_432);
    }

    [Theory]
    [InlineData(301, 4, 17, 10_479_616, "301/4/17")]
    [InlineData(65_278, 16, 255, 136_363_130_880, "65278/16/255")]
    [InlineData(65_535, 16, 255, 136_899_993_600, "65535/16/255")]
    [InlineData(0, 0, 0, 0, "0/0/0")]
    public void Geometry_reaches_so_far(int cylinders, int heads, int sectors, long size, string text)
    {
        var geometry = new VhdGeometry((ushort)cylinders, (byte)heads, (byte)sectors);
        Assert.Equal(size, geometry.Size);
        Assert.Equal(text, geometry.ToString());
    }

    [Fact]
    public void Names_of_a_parent_are_big_endian_in_the_header_and_little_endian_in_the_locators()
    {
        var builder = new VhdBuilder { DiskType = 4, ParentName = "Ω-eltern.vhd", Locators = { ("W2ku", @"C:\disks\Ω.vhd"), ("W2ru", @".\Ω.vhd"), ("MacX", "file") } };
        byte[] file = builder.Build();
        Assert.Equal([0x03, 0xa9, 0, (byte)'-'], file[(512 + 64)..(512 + 68)]);
        Assert.Equal([(byte)'C', 0, (byte)':', 0], file[1536..1540]);
        VhdStructure structure = VhdStructure.Read(new MemoryStorage(file), isSaid: false, isSalvage: false);
        Assert.Equal("Ω-eltern.vhd", structure.Header!.ParentName);
        Assert.Equal(["W2ku", "W2ru", "MacX"], structure.Header.Locators.Select(locator => VhdText.Code(locator.Platform)));
        Assert.Equal([@".\Ω.vhd", @"C:\disks\Ω.vhd", "Ω-eltern.vhd"], structure.ParentNames);
    }

    [Fact]
    public void A_parent_is_looked_for_from_the_childs_folder_then_by_its_whole_path_then_by_its_name_alone()
    {
        string[] names = [@"..\base\p.vhd", @"C:\vm\base\p.vhd", @"\\server\share\q.vhd", "/srv/r.vhd"];
        Assert.Equal(["../base/p.vhd", "/srv/r.vhd", "p.vhd", "q.vhd", "r.vhd"], WindowsParentNames.AsPaths(names, isWindows: false));
        Assert.Equal([.. names, "p.vhd", "q.vhd", "r.vhd"], WindowsParentNames.AsPaths(names, isWindows: true));
    }

    [Theory]
    [InlineData("80", 0, 8, 1, true)]
    [InlineData("80", 1, 7, 7, false)]
    [InlineData("01", 7, 1, 1, true)]
    [InlineData("ffffff7f", 0, 32, 24, true)]
    [InlineData("ffffff7f", 24, 8, 1, false)]
    [InlineData("ffffff7f", 25, 7, 7, true)]
    [InlineData("00000001", 3, 29, 28, false)]
    [InlineData("ff0fff", 3, 21, 5, true)]
    [InlineData("ff0fff", 12, 12, 12, true)]
    [InlineData("ffff", 5, 4, 4, true)]
    public void Runs_of_sectors_are_counted_from_the_highest_bit(string bits, int sector, int limit, int length, bool isSet)
    {
        byte[] bitmap = Convert.FromHexString(bits);
        Assert.Equal(isSet, VhdSectorBitmap.IsSet(bitmap, sector));
        Assert.Equal(length, VhdSectorBitmap.RunLength(bitmap, sector, limit));
    }

    [Theory]
    [InlineData(512, 512)]
    [InlineData(4096, 512)]
    [InlineData(2 << 20, 512)]
    [InlineData(4 << 20, 1024)]
    public void A_bitmap_takes_whole_sectors(int blockSize, int bytes) => Assert.Equal(bytes, VhdSectorBitmap.BytesFor((uint)blockSize));

    [Theory]
    [InlineData(0x77696e20, "win")]
    [InlineData(0x64327600, "d2v")]
    [InlineData(0x00000000, "")]
    [InlineData(0x01020304, "0x01020304")]
    public void Creators_are_named(int code, string name) => Assert.Equal(name, VhdText.Code((uint)code));

    private static byte[] Bytes(string hex, int length)
    {
        byte[] bytes = Convert.FromHexString(string.Concat(hex.Where(letter => !char.IsWhiteSpace(letter))));
        Array.Resize(ref bytes, length);
        return bytes;
    }
}

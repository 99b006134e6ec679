using Qcow2.Engine.Formats.Vhd;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vhd;

/// <summary>Which of two footers counts, where one is damaged, missing, or planted by a guest.</summary>
public sealed class VhdFooterChoiceTests
{
    private const int FooterPosition = 10 << 20;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_fixed_disk_is_what_lies_before_its_footer(bool isShort)
    {
        byte[] content = VhdImages.RandomBytes(10 << 20, 1);
        byte[] file = new VhdBuilder { DiskType = 2, Content = content, IsFooterShort = isShort }.Build();
        Assert.Equal(content.Length + (isShort ? 511 : 512), file.Length);
        Assert.Equal(VhdLikeness.Footer, VhdProbe.Look(new MemoryStorage(file)));
        List<string> problems = [];
        using VhdDisk disk = VhdImages.Open(file, problems: problems);
        Assert.Equal(content, VhdImages.ReadAll(disk));
        Assert.Empty(problems);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void A_fixed_disk_whose_guest_planted_a_whole_image_is_the_outer_one(int planted)
    {
        // Its last bytes are a footer, too, right before that of the outer one.
        byte[] inner = new VhdBuilder { DiskType = (uint)planted, Size = 1 << 20, ParentName = "/etc/passwd", Locators = { ("W2ku", "/etc/passwd") } }.Build();
        byte[] content = VhdImages.RandomBytes(10 << 20, 2);
        inner.CopyTo(content, 0);
        inner[^512..].CopyTo(content, content.Length - 512);
        byte[] file = new VhdBuilder { DiskType = 2, Content = content }.Build();
        foreach (bool isSaid in (bool[])[false, true])
        {
            using VhdDisk disk = VhdImages.Open(file, isSaid: isSaid, isSalvage: true);
            Assert.Null(disk.Backing);
            Assert.Equal(content, VhdImages.ReadAll(disk));
        }

        // Nor does damage to the outer footer bring the inner image to light.
        file[FooterPosition + 70] ^= 1;
        Assert.Contains("check sum", Refused(file, isSaid: true).Message, StringComparison.Ordinal);
        using VhdDisk salvaged = VhdImages.Open(file, isSaid: true, isSalvage: true);
        Assert.Equal(content, VhdImages.ReadAll(salvaged));
    }

    [Fact]
    public void What_begins_as_an_image_and_does_not_end_as_one_takes_the_callers_word()
    {
        byte[] file = new VhdBuilder { HasTrailingFooter = false }.Build();
        Assert.Equal(VhdLikeness.IfSaid, VhdProbe.Look(new MemoryStorage(file)));
        Assert.Equal(Qcow2ErrorCode.FormatMismatch, Refused(file, isSaid: false).Code);
        List<string> problems = [];
        using VhdDisk disk = VhdImages.Open(file, isSaid: true, problems: problems);
        Assert.Equal(10 << 20, disk.Length);
        Assert.Contains("missing", Assert.Single(problems), StringComparison.Ordinal);
    }

    [Fact]
    public void A_copy_at_the_start_that_is_missing_is_not_needed()
    {
        List<string> problems = [];
        using VhdDisk disk = VhdImages.Open(new VhdBuilder { HasLeadingFooter = false }.Build(), problems: problems);
        Assert.Equal(10 << 20, disk.Length);
        Assert.Contains("missing", Assert.Single(problems), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("first", "check sum")]
    [InlineData("last", "check sum")]
    public void Either_copy_may_be_damaged(string which, string said)
    {
        byte[] file = new VhdBuilder().Build();
        file[which == "first" ? 30 : file.Length - 512 + 30] ^= 0x40;
        List<string> problems = [];
        using VhdDisk disk = VhdImages.Open(file, problems: problems);
        Assert.Equal("win", VhdText.Code(disk.Structure.Footer.CreatorApplication));
        Assert.Contains(said, Assert.Single(problems), StringComparison.Ordinal);
    }

    [Fact]
    public void The_footer_at_the_end_holds_where_the_two_differ()
    {
        byte[] file = new VhdBuilder().Build();
        new VhdBuilder { Size = 1 << 20, Creator = "evil" }.MakeFooter().CopyTo(file, 0);
        List<string> problems = [];
        using VhdDisk disk = VhdImages.Open(file, problems: problems);
        Assert.Equal(10 << 20, disk.Length);
        Assert.Contains("differs", Assert.Single(problems), StringComparison.Ordinal);
    }

    [Fact]
    public void With_both_damaged_a_disk_is_refused_and_salvaged()
    {
        byte[] file = new VhdBuilder().Build();
        file[30] ^= 1;
        file[^100] ^= 1;
        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, Refused(file, isSaid: true).Code);
        List<string> problems = [];
        using VhdDisk disk = VhdImages.Open(file, isSalvage: true, problems: problems);
        Assert.Equal(10 << 20, disk.Length);
        Assert.NotEmpty(problems);
    }

    [Fact]
    public void A_type_that_is_damaged_with_the_sum_does_not_hide_the_copy()
    {
        byte[] file = new VhdBuilder().Build();
        file[file.Length - 512 + 60] = 9;
        Refused(file, isSaid: false);
        using VhdDisk disk = VhdImages.Open(file, isSaid: true);
        Assert.Equal(10 << 20, disk.Length);
    }

    [Fact]
    public void The_disk_is_as_large_as_its_current_size_says()
    {
        // Virtual PC, whose disks QEMU cuts to 100 * 4 * 17 sectors.
        byte[] file = new VhdBuilder { Creator = "vpc ", EditFooter = footer => VhdBuilder.U64(footer, 40, 1 << 20) }.Build();
        using VhdDisk disk = VhdImages.Open(file);
        Assert.Equal(10 << 20, disk.Length);
        Assert.Equal(100 * 4 * 17 * 512, disk.Structure.Footer.Geometry.Size);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(510)]
    [InlineData(511)]
    [InlineData(512)]
    [InlineData(5000)]
    public void What_is_no_image_is_refused(int length)
    {
        byte[] file = new byte[length];
        Assert.Equal(VhdLikeness.None, VhdProbe.Look(new MemoryStorage(file)));
        Assert.Equal(Qcow2ErrorCode.FormatMismatch, Refused(file, isSaid: true).Code);
    }

    [Fact]
    public void A_copy_of_a_fixed_disks_footer_is_no_footer_of_a_dynamic_one()
    {
        byte[] file = new byte[1 << 20];
        new VhdBuilder { DiskType = 2 }.MakeFooter().CopyTo(file, 0);
        Assert.Equal(Qcow2ErrorCode.FormatMismatch, Refused(file, isSaid: true).Code);
    }

    private static Qcow2Exception Refused(byte[] file, bool isSaid)
        => Assert.Throws<Qcow2Exception>(() => VhdImages.Open(file, isSaid: isSaid));
}

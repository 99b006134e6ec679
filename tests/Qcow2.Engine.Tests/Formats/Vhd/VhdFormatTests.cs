using Qcow2.Engine.Comparison;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Formats.Vhd;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vhd;

/// <summary>VHD files as files of the host: recognised, opened with the parents that they name, described, and under qcow2 images.</summary>
public sealed class VhdFormatTests : IDisposable
{
    private const int Block = 64 << 10;
    private const int Size = 4 * Block;

    private static readonly DiskFormat Vhd = DiskFormats.Get("vhd");
    private static readonly byte[] ParentId = [.. Enumerable.Repeat((byte)0x77, 16)];

    private readonly TempFolder _folder = new();
    private readonly byte[] _parentContent = VhdImages.RandomBytes(Size, 1);
    private readonly byte[] _childData = VhdImages.RandomBytes(Block, 2);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("disk.vhd", "vhd")]
    [InlineData("disk.img", null)]
    [InlineData("disk", "vhd")]
    [InlineData("disk.raw", null)]
    public void A_footer_at_the_end_is_the_mark(string name, string? format)
    {
        string path = WriteFixed(name, new byte[Size]);
        FormatRecognition seen = DiskFormats.Recognize(path);
        Assert.Equal("vhd", seen.Mark?.Name);
        Assert.Equal(format, seen.Format?.Name);
        Assert.Equal("ends as a VHD image does", seen.Mark!.Appearance);
    }

    [Fact]
    public void A_copy_of_the_footer_at_the_start_is_no_mark()
    {
        string path = _folder.Write("disk.vhd", new VhdBuilder { HasTrailingFooter = false }.Build());
        FormatRecognition seen = DiskFormats.Recognize(path);
        Assert.Null(seen.Mark);
        Assert.Null(seen.Format);
        Assert.Equal("vhd-start", seen.Signature?.Id);
        using VirtualDisk disk = Vhd.Open(path);
        Assert.Equal(10 << 20, disk.Length);
    }

    /// <summary>A qcow2 header that a guest wrote into a fixed disk would name any file of the host.</summary>
    [Fact]
    public void What_a_guest_writes_at_the_start_of_a_fixed_disk_is_not_looked_at()
    {
        byte[] content = new byte[1 << 20];
        Qcow2Image.CreateFile(_folder.File("inner.qcow2"), 1 << 20);
        File.ReadAllBytes(_folder.File("inner.qcow2")).AsSpan(0, 4096).CopyTo(content);
        string path = WriteFixed("disk.vhd", content);
        Assert.Equal("vhd", DiskFormats.Recognize(path).Format?.Name);
        using VirtualDisk disk = Vhd.Open(path);
        Assert.Equal(content, VhdImages.ReadAll(disk));
    }

    [Theory]
    [InlineData("vhd")]
    [InlineData("VHD")]
    [InlineData("vpc")]
    public void It_has_QEMUs_name_too(string name) => Assert.Same(Vhd, DiskFormats.Find(name));

    [Theory]
    [InlineData(@".\base.vhd", @"C:\vm\other.vhd", "", "base.vhd")]
    [InlineData(@"..\up\base.vhd", @"C:\vm\other.vhd", "", "up/base.vhd")]
    [InlineData("", @"C:\vm\base.vhd", "", "child/base.vhd")]
    [InlineData("", "", "base.vhd", "child/base.vhd")]
    public void The_parent_is_found_by_what_the_child_says(string relative, string absolute, string name, string place)
    {
        WriteFixed(place == "base.vhd" ? "child/base.vhd" : place, _parentContent);
        string path = WriteChild("child/child.vhd", relative, absolute, name);
        using VirtualDisk disk = Vhd.Open(path);
        Assert.Equal(ChildContent(), VhdImages.ReadAll(disk));
        Assert.True(disk.ReadsFrom(disk.Backing!.Path));
        Qcow2ImageInfo info = Vhd.ReadInformation(path);
        Assert.Equal(disk.Backing!.Path, info.ParentPath);
    }

    [Fact]
    public void Another_disk_of_the_parents_name_is_passed_over()
    {
        string elsewhere = _folder.File("real/base.vhd");
        WriteFixed("real/base.vhd", _parentContent);
        _folder.Write("base.vhd", new VhdBuilder { DiskType = 2, Size = Size, Content = new byte[Size] }.Build());
        using (VirtualDisk disk = Vhd.Open(WriteChild("child.vhd", @".\base.vhd", elsewhere)))
        {
            Assert.Equal(elsewhere, disk.Backing!.Path);
        }

        File.Delete(elsewhere); // On Windows a file that is open may keep its name until it is closed.
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Vhd.Open(_folder.File("child.vhd")));
        Assert.Equal(Qcow2ErrorCode.BackingFileMismatch, error.Code);
        Assert.Contains("77777777", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_parent_that_is_nowhere_is_named_with_every_place()
    {
        string path = WriteChild("child.vhd", @"..\up\base.vhd", @"C:\vm\other.vhd");
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Vhd.Open(path));
        Assert.Equal(Qcow2ErrorCode.BackingFileUnavailable, error.Code);
        Assert.Equal(path, error.Path);
        Assert.Contains($"{Path.Combine(_folder.Path, "other.vhd")}", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, error.Message.Split("base.vhd").Length - 1); // Beside the child, too.
        Assert.Contains(Path.GetFullPath(Path.Combine(_folder.Path, "../up/base.vhd")), error.Message, StringComparison.Ordinal);
        using VirtualDisk disk = Vhd.Open(path, new Qcow2OpenOptions { WithoutBacking = true });
        Assert.Equal(Qcow2ErrorCode.BackingFileUnavailable, Assert.Throws<Qcow2Exception>(() => disk.Read(0, new byte[1])).Code);
    }

    [Fact]
    public void A_place_that_several_names_lead_to_is_named_once()
    {
        string path = WriteChild("child.vhd", @".\base.vhd", "", "base.vhd");
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Vhd.Open(path));
        Assert.Contains($"was not found: '{_folder.File("base.vhd")}' does not exist", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_policy_for_references_holds()
    {
        WriteFixed("outside/base.vhd", _parentContent);
        string path = WriteChild("in/child.vhd", @"..\outside\base.vhd", "");
        Assert.Equal(
            Qcow2ErrorCode.ReferenceForbidden,
            Assert.Throws<Qcow2Exception>(() => Vhd.Open(path, new Qcow2OpenOptions { References = ReferencePolicy.Forbid })).Code);
        var confined = new Qcow2OpenOptions { References = ReferencePolicy.Confine(Path.Combine(_folder.Path, "in")) };
        Assert.Equal(Qcow2ErrorCode.ReferenceForbidden, Assert.Throws<Qcow2Exception>(() => Vhd.Open(path, confined)).Code);
        WriteFixed("in/base.vhd", _parentContent);
        using VirtualDisk disk = Vhd.Open(path, confined);
        Assert.Equal(_folder.File("in/base.vhd"), disk.Backing!.Path);
    }

    [Fact]
    public void A_loop_is_an_error()
    {
        string path = _folder.Write("child.vhd", Child(@".\child.vhd", "", "", ParentId, ParentId).Build());
        Assert.Equal(Qcow2ErrorCode.BackingChainLoop, Assert.Throws<Qcow2Exception>(() => Vhd.Open(path)).Code);
        _folder.Write("child.vhd", Child(@".\second.vhd", "", "", ParentId, ParentId).Build());
        _folder.Write("second.vhd", Child(@".\child.vhd", "", "", ParentId, ParentId).Build());
        Assert.Equal(Qcow2ErrorCode.BackingChainLoop, Assert.Throws<Qcow2Exception>(() => Vhd.Open(path)).Code);
        Assert.Throws<Qcow2Exception>(() => Vhd.ReadChain(path).ToArray());
    }

    [Fact]
    public void What_is_said_of_a_chain_goes_down_it()
    {
        string parent = WriteFixed("base.vhd", _parentContent);
        string path = WriteChild("child.vhd", @".\base.vhd", @"C:\vm\base.vhd");
        Qcow2ImageInfo[] chain = [.. Vhd.ReadChain(path)];
        Assert.Equal([path, parent], chain.Select(info => info.Path));
        Assert.Equal(["Differencing", "Fixed"], chain.Select(info => info.Subformat));
        Assert.Equal(["vhd", "vhd"], chain.Select(info => info.Format));
        Assert.Equal([0, 1], chain.Select(info => info.Depth));
        Qcow2ImageInfo child = chain[0];
        Assert.Equal(Size, child.Size);
        Assert.Equal(Block, child.ClusterSize);
        Assert.Equal(@".\base.vhd", child.BackingFile);
        Assert.Equal("vhd", child.BackingFormat);
        Assert.Equal(parent, child.ParentPath);
        Assert.Equal(chain[1].DiskIdentifier, child.ParentIdentifier);
        Assert.Null(chain[1].ParentIdentifier);
        Assert.Equal("win", child.Vhd!.Creator);
        Assert.Equal("10.0", child.Vhd.CreatorVersion);
        Assert.Equal("100/4/17", child.Vhd.Geometry);
        Assert.Equal(100 * 4 * 17 * 512, child.Vhd.GeometrySize);
        Assert.Equal([@".\base.vhd", @"C:\vm\base.vhd"], child.Vhd.ParentNames);
        Assert.Equal(new DateTime(2000, 1, 1, 0, 16, 40, DateTimeKind.Utc), child.Vhd.CreationTime);
        Assert.Empty(child.Problems);

        File.Delete(parent);
        using IEnumerator<Qcow2ImageInfo> broken = Vhd.ReadChain(path).GetEnumerator();
        Assert.True(broken.MoveNext());
        Assert.Contains("parent was not found", broken.Current.BackingFileProblem, StringComparison.Ordinal);
        Assert.Equal(Qcow2ErrorCode.BackingFileUnavailable, Assert.Throws<Qcow2Exception>(() => broken.MoveNext()).Code);
    }

    [Fact]
    public void Damage_is_told_and_salvaged()
    {
        byte[] file = new VhdBuilder { HasLeadingFooter = false }.Build();
        string path = _folder.Write("disk.vhd", file);
        List<string> problems = [];
        Vhd.Open(path, new Qcow2OpenOptions { OnProblem = problems.Add }).Dispose();
        Assert.StartsWith(path, Assert.Single(problems), StringComparison.Ordinal);
        Assert.Single(Vhd.ReadInformation(path).Problems);

        file[^100] ^= 1;
        _folder.Write("disk.vhd", file);
        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, Assert.Throws<Qcow2Exception>(() => Vhd.Open(path)).Code);
        Vhd.Open(path, new Qcow2OpenOptions { Salvage = true }).Dispose();
    }

    [Fact]
    public void Disks_are_converted_measured_and_compared()
    {
        WriteFixed("base.vhd", _parentContent);
        using VirtualDisk disk = Vhd.Open(WriteChild("child.vhd", @".\base.vhd", ""));
        string copy = _folder.File("copy.qcow2");
        DiskConverter.Convert(disk, copy, new Qcow2CreateOptions { ClusterSize = 4096 });
        using VirtualDisk converted = DiskFormats.Get("qcow2").Open(copy);
        Assert.Equal(ChildContent(), VhdImages.ReadAll(converted));
        Assert.True(DiskComparer.Compare(disk, converted).AreEqual);
    }

    /// <summary>A block is taken with its first sector, and what of it is a hole of the file need not be read.</summary>
    [Fact]
    public void Holes_of_a_block_are_not_copied()
    {
        var builder = new VhdBuilder { Size = 2 << 20 };
        builder.Blocks.Add((0, VhdImages.AllOnes(builder), new byte[2 << 20]));
        string path = _folder.File("disk.vhd");
        using (var bytes = new MemoryStream(builder.Build()))
        {
            SparseFile.Write(bytes, path);
        }

        using VirtualDisk disk = Vhd.Open(path);
        using LocalFile file = LocalFile.OpenRead(path);
        ExtentKind[] expected = file.RunAt(8192).IsData ? [ExtentKind.Data] : [ExtentKind.Data, ExtentKind.Zero, ExtentKind.Data];
        Assert.Equal(expected, disk.GetExtents().Select(extent => extent.Kind));
    }

    [QemuFact]
    public void Under_a_qcow2_image_it_is_what_QEMU_calls_vpc()
    {
        string raw = _folder.Write("source.raw", _parentContent);
        string vhd = _folder.File("base.vhd");
        QemuImg.Run("convert", "-f", "raw", "-O", "vpc", "-o", "force_size=on", raw, vhd);
        string theirs = _folder.File("theirs.qcow2");
        QemuImg.Run("create", "-q", "-f", "qcow2", "-b", vhd, "-F", "vpc", theirs);
        string ours = _folder.File("ours.qcow2");
        Qcow2Image.CreateFile(ours, Size, new Qcow2CreateOptions { BackingFile = vhd, BackingFormat = "vhd" });
        foreach (string path in (string[])[theirs, ours])
        {
            using (VirtualDisk disk = DiskFormats.Get("qcow2").Open(path))
            {
                Assert.Equal(_parentContent, VhdImages.ReadAll(disk));
            }

            Assert.Equal("vpc", Qcow2ImageInfo.Read(path).BackingFormat);
            Assert.Equal(["qcow2", "vhd"], Qcow2ImageInfo.ReadChain(path).Select(info => info.Format));
            QemuImg.Run("compare", "-f", "qcow2", "-F", "raw", path, raw);
        }
    }

    private string WriteFixed(string name, byte[] content)
        => _folder.Write(name, new VhdBuilder { DiskType = 2, Size = content.Length, Content = content, UniqueId = ParentId }.Build());

    private string WriteChild(string name, string relative, string absolute, string parentName = "")
        => _folder.Write(name, Child(relative, absolute, parentName, [.. Enumerable.Repeat((byte)1, 16)], ParentId).Build());

    /// <summary>Its second block has every other sector of its first half.</summary>
    private VhdBuilder Child(string relative, string absolute, string parentName, byte[] id, byte[] parentId)
    {
        var builder = new VhdBuilder { DiskType = 4, Size = Size, BlockSize = Block, UniqueId = id, ParentId = parentId, ParentName = parentName };
        if (absolute.Length > 0)
        {
            builder.Locators.Add(("W2ku", absolute));
        }

        if (relative.Length > 0)
        {
            builder.Locators.Add(("W2ru", relative));
        }

        byte[] bitmap = new byte[512];
        bitmap.AsSpan(0, 8).Fill(0xaa);
        builder.Blocks.Add((1, bitmap, _childData));
        return builder;
    }

    private byte[] ChildContent()
    {
        byte[] content = [.. _parentContent];
        for (int sector = 0; sector < 64; sector += 2)
        {
            _childData.AsSpan(sector * 512, 512).CopyTo(content.AsSpan(Block + (sector * 512)));
        }

        return content;
    }
}

using Qcow2.Engine.Storage;
using Qcow2.Tests;
using static Qcow2.Engine.Qcow2CheckFindingKind;
using static Qcow2.Engine.Qcow2CheckSeverity;
using static Qcow2.Tests.VhdBuilder;

namespace Qcow2.Engine.Tests.Formats.Vhd;

/// <summary>Each damage that a VHD can have is found, named and counted; what is sound is called so.</summary>
public sealed class VhdCheckTests : IDisposable
{
    private const int Block = 64 << 10;
    private const int Span = Block + 512;
    private const int First = 0x800;

    private readonly TempFolder _folder = new();

    public static TheoryData<string> Names => [.. Cases.Keys];

    /// <summary>A file of 16 blocks in a row from 0x800 on, then the footer, with one thing wrong; and what is said of it.</summary>
    private static Dictionary<string, (byte[] File, Qcow2CheckFindingKind Kind, Qcow2CheckSeverity Severity, long Corruptions, string[] Words)> Cases { get; } = new()
    {
        ["trailing footer missing"] = (Sound().Build()[..^512], FileCutOff, Corruption, 1, ["No footer"]),
        ["trailing footer's check sum"] = (Damaged(-100), ChecksumWrong, Corruption, 1, ["at the end of the file", "check sum"]),
        ["leading footer missing"] = (With(file => file[0] = 0), CopyDamaged, Warning, 0, ["missing"]),
        ["leading footer's check sum"] = (Damaged(100), CopyDamaged, Warning, 0, ["wrong check sum"]),
        ["leading footer another"] = (With(file => Seal(file, bytes => bytes[24] = 9)), CopyDamaged, Warning, 0, ["differs"]),
        ["only footer damaged"] = (Damaged(100)[..^512], ChecksumWrong, Corruption, 2, ["copy of the footer", "check sum"]),
        ["footer version"] = (OfFooter(12, 0x0002_0000), FeatureUnknown, Error, 0, ["file_format_version"]),
        ["footer type"] = (OfFooter(60, 6), FeatureUnknown, Error, 0, ["disk_type is 6"]),
        ["footer size of 2^63"] = (OfFooter(48, 0x8000_0000), HeaderDamaged, Error, 0, ["current_size"]),
        ["reserved feature bits"] = (OfFooter(8, 0x12), ReservedBits, Information, 0, ["0x00000012"]),
        ["header inside the footer"] = (OfFooter(20, 511), HeaderDamaged, Error, 0, ["data_offset is 0x1ff"]),
        ["header past the end"] = (OfFooter(16, 0x7fff_ffff), HeaderDamaged, Error, 0, ["data_offset is 0x7fffffff"]),
        ["header elsewhere"] = (OfFooter(20, 4096), HeaderDamaged, Error, 0, ["cxsparse"]),
        ["header check sum"] = (Damaged(700), ChecksumWrong, Corruption, 1, ["dynamic disk header", "check sum"]),
        ["header version"] = (OfHeader(24, 0x0003_0000), FeatureUnknown, Error, 0, ["header_version"]),
        ["block size"] = (OfHeader(32, 3 << 20), HeaderDamaged, Error, 0, ["block_size is 3145728"]),
        ["too many entries for anybody"] = (OfHeader(28, uint.MaxValue), HeaderDamaged, Error, 0, ["max_table_entries"]),
        ["too few entries"] = (OfHeader(28, 15), TableSizeWrong, Corruption, 1, ["15 entries", "needs 16"]),
        ["an entry too many"] = (OfHeader(28, 17), TableSizeWrong, Information, 0, ["17 entries"]),
        ["table in the header"] = (OfHeader(20, 1024), MetadataOverlap, Corruption, 17, ["table_offset is 0x400", "dynamic disk header"]),
        ["table past the end"] = (OfHeader(20, 0x7fff_ff00), PastEndOfFile, Corruption, 1, ["block allocation table"]),
        ["table at 2^63"] = (OfHeader(16, 0x8000_0000), PastEndOfFile, Corruption, 1, ["block allocation table"]),
        ["block in the footer"] = (OfEntry(3, 0), MetadataOverlap, Corruption, 1, ["Block 3 ", "copy of the footer"]),
        ["block in the header"] = (OfEntry(3, 2), MetadataOverlap, Corruption, 1, ["Block 3 ", "dynamic disk header"]),
        ["block in the table"] = (OfEntry(15, 3), MetadataOverlap, Corruption, 1, ["Block 15 ", "block allocation table"]),
        ["block past the end"] = (OfEntry(4, 0xffff_fffe), PastEndOfFile, Corruption, 1, ["Block 4 ", "4294967294"]),
        ["block cut off"] = (OfEntry(4, (16 * Span / 512) + 3), FileCutOff, Corruption, 1, ["Block 4 ", "its end is missing"]),
        ["two blocks in one place"] = (OfEntry(5, 4), BlockOverlap, Corruption, 1, ["Blocks 0 and 5", "0x800"]),
        ["two blocks that overlap"] = (OfEntry(5, 4 + 129 + 128), BlockOverlap, Corruption, 2, ["overlap"]),
        ["block given up"] = (OfEntry(5, uint.MaxValue), SpaceUnused, Leak, 0, ["66048 bytes at 0x51200"]),
        ["hidden sectors"] = (With(file => file[First + Span] = 0xef), SectorsHidden, Warning, 0, ["Sector 3 of block 1"]),
        ["fixed and cut off"] = (new VhdBuilder { DiskType = 2, Content = new byte[4096] }.Build(), FileCutOff, Corruption, 1, ["10485760", "4096 bytes"]),
        ["fixed and too long"] = (new VhdBuilder { DiskType = 2, Size = 4096, Content = new byte[8192] }.Build(), SpaceUnused, Leak, 0, ["4096 bytes at 0x1000"]),
    };

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Names))]
    public void What_is_wrong_is_found(string name)
    {
        (byte[] file, Qcow2CheckFindingKind kind, Qcow2CheckSeverity severity, long corruptions, string[] words) = Cases[name];
        Qcow2CheckResult result = CheckJudge.Check("vhd", file);
        CheckJudge.AssertFinds(result, kind, severity, words);
        Assert.Equal(corruptions, result.Corruptions);
        CheckJudge.AssertAgreesWithReader("vhd", file, name);
    }

    [Fact]
    public void A_sound_file_has_no_findings_and_right_numbers()
    {
        Qcow2CheckResult result = CheckJudge.Check("vhd", Sound().Build(), untrusted: true, readData: true);
        CheckJudge.AssertSound(result);
        Assert.Equal((16, 16, 0, 0), (result.AllocatedClusters, result.TotalClusters, result.FragmentedClusters, result.LeakedBytes));
        Assert.Equal(First + (16 * Span), result.ImageEndOffset);
        CheckJudge.AssertSound(CheckJudge.Check("vhd", new VhdBuilder { DiskType = 2, Size = 8192, Content = new byte[8192] }.Build(), untrusted: true, readData: true));
    }

    [Fact]
    public void Leaks_are_counted_in_blocks_and_bytes()
    {
        VhdBuilder builder = Sound(table: table => table.AsSpan(20, 12).Fill(0xff));
        Qcow2CheckResult result = CheckJudge.Check("vhd", builder.Build());
        Assert.Equal((3, 3L * Span, 13, 1), (result.Leaks, result.LeakedBytes, result.AllocatedClusters, result.FragmentedClusters));
    }

    [Fact]
    public void Findings_are_counted_beyond_those_that_are_kept()
    {
        Qcow2CheckResult result = CheckJudge.Check("vhd", Sound(table: table => table.AsSpan().Clear()).Build(), maxFindings: 3);
        Assert.Equal(16, result.Corruptions);
        Assert.Equal(3, result.Findings.Length);
        Assert.Contains("Block 0 ", result.Findings[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_begins_as_nothing_of_the_kind_is_an_error()
    {
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => CheckJudge.Check("vhd", new byte[4096]));
        Assert.Equal(Qcow2ErrorCode.FormatMismatch, error.Code);
        Assert.Throws<Qcow2Exception>(() => CheckJudge.Check("vhd", []));
        Assert.Equal(Qcow2ErrorCode.UnsupportedFeature, Assert.Throws<Qcow2Exception>(() => CheckJudge.Check("raw", new byte[4096])).Code);
    }

    [Fact]
    public void Data_that_the_host_cannot_read_are_named()
    {
        var storage = new MemoryStorage(Sound().Build())
        {
            BeforeRead = (offset, length) =>
            {
                if (offset < First + (2 * Span) + 8192 && offset + length > First + (2 * Span) + 4096)
                {
                    throw new IOException("bad sector");
                }
            },
        };
        Qcow2CheckResult result = CheckJudge.Check("vhd", storage, readData: true);
        Qcow2CheckFinding finding = CheckJudge.AssertFinds(result, DataUnreadable, Corruption, "bad sector");
        Assert.Equal((1, First + (2 * Span) + 512 + 3584), (result.Corruptions, finding.Offset));
    }

    [Theory]
    [InlineData("vhd")]
    [InlineData("qcow2")]
    [InlineData("qed")]
    public void An_image_that_a_guest_planted_is_found(string kind)
    {
        byte[] content = new byte[64 << 10];
        (kind switch { "vhd" => Sound().Build(), "qcow2" => [0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3], _ => "QED\0"u8.ToArray() }).AsSpan(0, kind == "vhd" ? 4096 : 4).CopyTo(content);
        byte[] file = new VhdBuilder { DiskType = 2, Size = content.Length, Content = content }.Build();
        CheckJudge.AssertFinds(CheckJudge.Check("vhd", file, untrusted: true), FormatPlanted, Warning, "begins as");
        CheckJudge.AssertFinds(CheckJudge.Check("vhd", file), FormatPlanted, Information, "begins as");
    }

    [Fact]
    public void Tables_that_make_up_the_file_are_not_taken_from_strangers()
    {
        var builder = new VhdBuilder { Size = 1L << 40, BlockSize = 1 << 20 };
        CheckJudge.AssertFinds(CheckJudge.Check("vhd", builder.Build(), untrusted: true), TablesOversized, Warning, "4194304 bytes");
        CheckJudge.AssertSound(CheckJudge.Check("vhd", builder.Build()));
    }

    [Fact]
    public void A_child_is_held_against_its_parent()
    {
        VhdBuilder parent = Sound();
        File.WriteAllBytes(_folder.File("parent.vhd"), parent.Build());
        Qcow2CheckResult Of(byte[]? id = null, uint time = 1000, string name = "parent.vhd", bool untrusted = false, ReferencePolicy? policy = null, long size = 16 * Block)
        {
            var child = new VhdBuilder { DiskType = 4, Size = size, BlockSize = Block, ParentId = id ?? parent.UniqueId, ParentTime = time, ParentName = name, Locators = { ("W2ru", @".\" + name) } };
            child.Blocks.Add((3, VhdImages.AllOnes(child), new byte[Block]));
            File.WriteAllBytes(_folder.File("child.vhd"), child.Build());
            return DiskFormats.Get("vhd").Check(_folder.File("child.vhd"), new Qcow2CheckOptions { Untrusted = untrusted, References = policy ?? ReferencePolicy.Follow, ReadData = true });
        }

        Qcow2CheckResult good = Of();
        Assert.Equal([ReferenceToOtherFile], good.Findings.Select(finding => finding.Kind));
        CheckJudge.AssertFinds(good, ReferenceToOtherFile, Information, "parent.vhd", new Guid(parent.UniqueId).ToString());
        CheckJudge.AssertFinds(Of(untrusted: true), ReferenceToOtherFile, Warning, "parent.vhd");
        CheckJudge.AssertFinds(Of(id: new byte[16]), ParentMismatch, Corruption, "not the parent");
        CheckJudge.AssertFinds(Of(time: 999), ParentMismatch, Warning, "another time");
        CheckJudge.AssertFinds(Of(size: 15 * Block), ParentMismatch, Warning, $"{16 * Block}");
        CheckJudge.AssertFinds(Of(name: "lost.vhd"), ParentUnavailable, Error, "not found");
        CheckJudge.AssertFinds(Of(name: "child.vhd", id: [.. Enumerable.Range(1, 16).Select(i => (byte)i)]), ParentUnavailable, Error, "loop");
        CheckJudge.AssertFinds(Of(policy: ReferencePolicy.Forbid), ParentUnavailable, Error);
        Assert.DoesNotContain(Of(name: "lost.vhd", untrusted: true).Findings, finding => finding.Kind == ParentUnavailable);
    }

    [Fact]
    public void Locators_that_lead_nowhere_are_found_and_blocks_on_them()
    {
        var child = new VhdBuilder
        {
            DiskType = 4,
            Size = 16 * Block,
            BlockSize = Block,
            Locators = { ("W2ru", "x"), ("W2ku", "y") },
            EditHeader = header =>
            {
                U32(header, 576 + 8, uint.MaxValue);
                U64(header, 600 + 16, 0x1000);
            },
        };
        child.Blocks.Add((0, VhdImages.AllOnes(child), new byte[Block]));
        Qcow2CheckResult result = CheckJudge.Check("vhd", child.Build(), untrusted: true);
        CheckJudge.AssertFinds(result, ParentLocatorDamaged, Warning, "W2ru", "limit");
        CheckJudge.AssertFinds(result, MetadataOverlap, Corruption, "Block 0 ", "parent locator W2ku");
    }

    /// <summary>What a reader refuses, a check finds. The long form: QCOW2_FUZZ_ROUNDS rounds.</summary>
    [Fact]
    public void Mutations_are_found_as_readers_find_them()
    {
        byte[] sound = Sound().Build();
        CheckJudge.Fuzz("vhd", sound, 300, (random, file) =>
        {
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                int at = random.Next(4) switch { 0 => random.Next(100), 1 => 512 + random.Next(64), 2 => 0x600 + random.Next(64), _ => file.Length - 512 + random.Next(100) };
                file[at] = random.Next(3) switch { 0 => 0xff, 1 => (byte)random.Next(256), _ => (byte)(file[at] ^ (1 << random.Next(8))) };
            }

            if (random.Next(4) > 0)
            {
                SealPart(file, 0, 512, 64);
                SealPart(file, 512, 1024, 36);
                SealPart(file, file.Length - 512, 512, 64);
            }
        });
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Random_disks_are_sound(int seed)
    {
        var image = new RandomVhd(seed);
        Qcow2CheckResult result = CheckJudge.Check("vhd", image.Builder.Build(), untrusted: true, readData: true);
        Qcow2CheckFindingKind[] expected = [.. new[] { (ReferenceToOtherFile, image.IsDifferencing), (TableSizeWrong, image.Builder.SpareEntries > 0), (SectorsHidden, !image.IsDifferencing) }.Where(one => one.Item2).Select(one => one.Item1)];
        Assert.All(result.Findings, finding => Assert.Contains(finding.Kind, expected));
    }

    /// <summary>What is not sound in them is their own: edited files with stale check sums, parents that are not to be had.</summary>
    [SampleFact]
    public void Samples_of_other_programs_are_sound()
    {
        foreach (string name in new[] { "d2v-zerofilled", "dissect-dynamic", "dissect-fixed", "dfvfs-ext2", "plaso-image", "sleuthkit-image", "govhd-qemu", "govhd-vbox", "govhd-win8.1-1GB", "govhd-win8-diff/win8", "ronin-fixed", "ronin-minimal", "virtualpc-dynamic" })
        {
            string path = Samples.Unpack(_folder, $"vhd/{name}.vhd");
            CheckJudge.AssertSound(DiskFormats.Get("vhd").Check(path, new Qcow2CheckOptions { Untrusted = true, ReadData = true }), name);
        }

        Qcow2CheckResult child = DiskFormats.Get("vhd").Check(Samples.Unpack(_folder, "vhd/govhd-win8-diff/win8-child.vhd"));
        CheckJudge.AssertFinds(child, ReferenceToOtherFile, Information, "win8.vhd");
        CheckJudge.AssertFinds(DiskFormats.Get("vhd").Check(Samples.Unpack(_folder, "vhd/dfvfs-fat-differential.vhd")), ParentUnavailable, Error, "fat-parent.vhd");
        CheckJudge.AssertFinds(DiskFormats.Get("vhd").Check(Samples.Unpack(_folder, "vhd/dfvfs-diff/image.vhd")), ChecksumWrong, Corruption, "footer");
        CheckJudge.AssertFinds(DiskFormats.Get("vhd").Check(Samples.Unpack(_folder, "vhd/afl5.img")), HeaderDamaged, Error, "data_offset");
    }

    [QemuFact]
    public void What_qemu_img_writes_is_sound()
    {
        string raw = _folder.File("disk.raw");
        File.WriteAllBytes(raw, VhdImages.RandomBytes(5 << 20, 1));
        foreach (string options in new[] { "subformat=dynamic", "subformat=dynamic,force_size=on", "subformat=fixed" })
        {
            string path = _folder.File("disk.vhd");
            QemuImg.Run("convert", "-f", "raw", "-O", "vpc", "-o", options, raw, path);
            CheckJudge.AssertSound(DiskFormats.Get("vhd").Check(path, new Qcow2CheckOptions { Untrusted = true, ReadData = true }), options);
        }
    }

    private static VhdBuilder Sound(Action<byte[]>? footer = null, Action<byte[]>? header = null, Action<byte[]>? table = null)
    {
        var builder = new VhdBuilder { Size = 16 * Block, BlockSize = Block, EditFooter = footer, EditHeader = header, EditTable = table };
        for (int i = 0; i < 16; i++)
        {
            builder.Blocks.Add((i, VhdImages.AllOnes(builder), VhdImages.RandomBytes(Block, i)));
        }

        return builder;
    }

    private static byte[] OfFooter(int position, uint value) => Sound(footer: bytes => U32(bytes, position, value)).Build();

    private static byte[] OfHeader(int position, uint value) => Sound(header: bytes => U32(bytes, position, value)).Build();

    private static byte[] OfEntry(int number, uint value) => Sound(table: bytes => U32(bytes, number * 4, value)).Build();

    private static byte[] With(Action<byte[]> change)
    {
        byte[] file = Sound().Build();
        change(file);
        return file;
    }

    private static byte[] Damaged(int position) => With(file => file[position < 0 ? file.Length + position : position] ^= 0x80);

    /// <summary>Changes the copy of the footer at the start, and sums it again.</summary>
    private static void Seal(byte[] file, Action<byte[]> change)
    {
        byte[] footer = file[..512];
        change(footer);
        VhdBuilder.Seal(footer, 64);
        footer.CopyTo(file, 0);
    }

    private static void SealPart(byte[] file, int offset, int length, int field)
    {
        byte[] part = file[offset..(offset + length)];
        VhdBuilder.Seal(part, field);
        part.CopyTo(file, offset);
    }
}

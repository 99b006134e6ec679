using Qcow2.Engine.Disks;
using Qcow2.Engine.Formats.Vhd;
using Qcow2.Tests;
using static Qcow2.Tests.VhdBuilder;

namespace Qcow2.Engine.Tests.Formats.Vhd;

/// <summary>Each field with a value that it cannot have: the error names the field and what it holds.</summary>
public sealed class VhdHostileTests
{
    private const int Block = 64 << 10;

    public static TheoryData<string> Names => [.. Cases.Keys];

    private static Dictionary<string, (byte[] File, Qcow2ErrorCode Code, string[] Words)> Cases { get; } = new()
    {
        ["footer version"] = (OfFooter(12, 0x0002_0000), Qcow2ErrorCode.UnsupportedFeature, ["file_format_version", "0x00020000"]),
        ["footer type 0"] = (OfFooter(60, 0), Qcow2ErrorCode.UnsupportedFeature, ["disk_type is 0"]),
        ["footer type 6"] = (OfFooter(60, 6), Qcow2ErrorCode.UnsupportedFeature, ["disk_type is 6"]),
        ["footer size of 2^63"] = (OfFooter(48, 0x8000_0000), Qcow2ErrorCode.LimitExceeded, ["current_size", "9223372036854775807"]),
        ["footer size beyond the table"] = (OfFooter(48, 1), Qcow2ErrorCode.ImageCorrupt, ["max_table_entries is 16", "65536"]),
        ["footer check sum"] = (Damaged(0, -100), Qcow2ErrorCode.ImageCorrupt, ["footer", "check sum"]),
        ["header inside the footer"] = (OfFooter(20, 511), Qcow2ErrorCode.ImageCorrupt, ["data_offset is 511"]),
        ["header past the end"] = (OfFooter(16, 0x7fff_ffff), Qcow2ErrorCode.ImageCorrupt, ["dynamic disk header", "does not fit"]),
        ["header over the last footer"] = (OfFooter(20, (uint)(0x800 + (16 * (Block + 512)) - 512)), Qcow2ErrorCode.ImageCorrupt, ["dynamic disk header", "does not fit"]),
        ["header elsewhere"] = (OfFooter(20, 4096), Qcow2ErrorCode.ImageCorrupt, ["0x1000", "cxsparse"]),
        ["header check sum"] = (Damaged(700), Qcow2ErrorCode.ImageCorrupt, ["dynamic disk header", "check sum"]),
        ["header version"] = (OfHeader(24, 0x0003_0000), Qcow2ErrorCode.UnsupportedFeature, ["header_version", "0x00030000"]),
        ["block size 0"] = (OfHeader(32, 0), Qcow2ErrorCode.ImageCorrupt, ["block_size is 0"]),
        ["block size 256"] = (OfHeader(32, 256), Qcow2ErrorCode.ImageCorrupt, ["block_size is 256"]),
        ["block size no power of two"] = (OfHeader(32, 3 << 20), Qcow2ErrorCode.ImageCorrupt, ["block_size is 3145728"]),
        ["too few entries"] = (OfHeader(28, 15), Qcow2ErrorCode.ImageCorrupt, ["max_table_entries is 15"]),
        ["entries overflow"] = (OfHeader(28, 0x4000_0001), Qcow2ErrorCode.LimitExceeded, ["max_table_entries is 1073741825", "16777216"]),
        ["all entries"] = (OfHeader(28, uint.MaxValue), Qcow2ErrorCode.LimitExceeded, ["max_table_entries is 4294967295"]),
        ["table in the footer"] = (OfHeader(20, 0), Qcow2ErrorCode.ImageCorrupt, ["table_offset is 0x0", "copy of the footer"]),
        ["table in the header"] = (OfHeader(20, 1024), Qcow2ErrorCode.ImageCorrupt, ["table_offset is 0x400", "dynamic disk header"]),
        ["table past the end"] = (OfHeader(20, 0x7fff_ff00), Qcow2ErrorCode.ImageCorrupt, ["block allocation table", "does not fit"]),
        ["table at 2^63"] = (OfHeader(16, 0x8000_0000), Qcow2ErrorCode.ImageCorrupt, ["block allocation table", "does not fit"]),
        ["block in the footer"] = (OfEntry(3, 0), Qcow2ErrorCode.ImageCorrupt, ["Entry 3", "copy of the footer"]),
        ["block in the header"] = (OfEntry(3, 2), Qcow2ErrorCode.ImageCorrupt, ["Entry 3", "header"]),
        ["block in the table"] = (OfEntry(15, 3), Qcow2ErrorCode.ImageCorrupt, ["Entry 15", "block allocation table"]),
        ["block past the end"] = (OfEntry(4, 0xffff_fffe), Qcow2ErrorCode.ImageCorrupt, ["Block 4", "4294967294", "does not fit"]),
        ["block over the last footer"] = (OfEntry(4, (16 * (Block + 512) / 512) + 4), Qcow2ErrorCode.ImageCorrupt, ["Block 4", "does not fit"]),
        ["two blocks in one place"] = (OfEntry(5, 4), Qcow2ErrorCode.ImageCorrupt, ["Entries 0 and 5", "0x800"]),
        ["two blocks that overlap"] = (OfEntry(5, 4 + 129 + 128), Qcow2ErrorCode.ImageCorrupt, ["overlap"]),
        ["parent missing"] = (new VhdBuilder { DiskType = 4, ParentName = "\u001b[2Jparent.vhd" }.Build(), Qcow2ErrorCode.BackingFileUnavailable, ["differencing", "\\x1b[2Jparent.vhd"]),
        ["fixed and cut off"] = (new VhdBuilder { DiskType = 2, Content = new byte[4096] }.Build(), Qcow2ErrorCode.ImageCorrupt, ["current_size is 10485760", "4096 bytes"]),
    };

    [Theory, MemberData(nameof(Names))]
    public void What_cannot_be_is_refused_by_name(string name)
    {
        (byte[] file, Qcow2ErrorCode code, string[] words) = Cases[name];
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => VhdImages.Open(file, isSaid: true));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - allocated, 0, 1 << 20);
        Assert.Equal(code, error.Code);
        Assert.Equal("memory", error.Path);
        Assert.All(words, word => Assert.Contains(word, error.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void The_image_of_the_cases_is_sound()
    {
        using VhdDisk disk = VhdImages.Open(Sound().Build());
        Assert.Equal(16 * Block, VhdImages.ReadAll(disk).Length);
    }

    [Fact]
    public void A_locator_that_leads_nowhere_is_a_problem_and_no_error()
    {
        var builder = new VhdBuilder
        {
            DiskType = 4,
            ParentName = "p.vhd",
            Locators = { ("W2ru", ".\\p.vhd"), ("W2ku", "C:\\p.vhd") },
            EditHeader = header =>
            {
                U32(header, 576 + 8, uint.MaxValue);
                U64(header, 600 + 16, ulong.MaxValue - 1);
            },
        };
        VhdStructure structure = VhdStructure.Read(new MemoryStorage(builder.Build()), isSaid: false, isSalvage: false);
        Assert.Equal(["p.vhd"], structure.ParentNames);
        Assert.Equal(2, structure.Problems.Count);
        Assert.Contains("W2ru", structure.Problems[0], StringComparison.Ordinal);
        Assert.Contains("4294967295", structure.Problems[0], StringComparison.Ordinal);
        Assert.Contains("W2ku", structure.Problems[1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_block_on_a_locator_is_refused()
    {
        var builder = new VhdBuilder
        {
            DiskType = 4,
            Size = Block,
            BlockSize = Block,
            Locators = { ("W2ru", "p") },
            EditHeader = header => U64(header, 576 + 16, 0xa00 + 700),
            Blocks = { (0, new byte[512], new byte[Block]) },
        };
        var parent = new VhdParent(RawDisk.Open(new MemoryStorage(new byte[Block])), Guid.Empty, 0);
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => VhdImages.Open(builder.Build(), parent));
        Assert.Contains("W2ru", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_parent_is_told_by_its_id()
    {
        byte[] parentFile = new VhdBuilder { UniqueId = [.. Enumerable.Repeat((byte)9, 16)], TimeStamp = 77 }.Build();
        byte[] child = new VhdBuilder { DiskType = 4, ParentId = [.. Enumerable.Repeat((byte)9, 16)], ParentTime = 77 }.Build();
        List<string> problems = [];
        using (VhdDisk disk = VhdImages.Open(child, VhdParent.Of(VhdImages.Open(parentFile)), problems: problems))
        {
            Assert.NotNull(disk.Backing);
            Assert.Empty(problems);
        }

        byte[] other = new VhdBuilder { TimeStamp = 77 }.Build();
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => VhdImages.Open(child, VhdParent.Of(VhdImages.Open(other))));
        Assert.Equal(Qcow2ErrorCode.BackingFileMismatch, error.Code);
        Assert.Contains("09090909", error.Message, StringComparison.Ordinal);

        byte[] later = new VhdBuilder { UniqueId = [.. Enumerable.Repeat((byte)9, 16)], TimeStamp = 78, Size = 1 << 20 }.Build();
        using VhdDisk warned = VhdImages.Open(child, VhdParent.Of(VhdImages.Open(later)), problems: problems);
        Assert.Equal(2, problems.Count);
    }

    [Fact]
    public void Without_its_parent_what_a_child_has_is_read_and_the_rest_is_an_error()
    {
        var builder = new VhdBuilder { DiskType = 4, Size = 2 * Block, BlockSize = Block, ParentName = "p.vhd" };
        byte[] data = VhdImages.RandomBytes(Block, 5);
        byte[] half = new byte[512];
        half[0] = 0xff;
        builder.Blocks.Add((1, half, data));
        using VhdDisk disk = VhdImages.Open(builder.Build(), new VhdParent(new UnopenedDisk("p.vhd", "memory"), null, 0));
        byte[] read = new byte[4096];
        Assert.Equal(4096, disk.Read(Block, read));
        Assert.Equal(data[..4096], read);
        Assert.Equal(Qcow2ErrorCode.BackingFileUnavailable, Assert.Throws<Qcow2Exception>(() => disk.Read(0, read)).Code);
        Assert.Equal(Qcow2ErrorCode.BackingFileUnavailable, Assert.Throws<Qcow2Exception>(() => disk.Read(Block + 4096, read)).Code);
    }

    [Fact]
    public void Of_a_file_that_was_cut_off_the_rest_is_salvaged()
    {
        byte[] whole = Sound().Build();
        byte[] content = VhdImages.ReadAll(VhdImages.Open(whole));
        byte[] cut = whole[..(whole.Length - 512 - Block - 20_000)];
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => VhdImages.Open(cut, isSaid: true));
        Assert.Contains("does not fit", error.Message, StringComparison.Ordinal);

        List<string> problems = [];
        using VhdDisk disk = VhdImages.Open(cut, isSaid: true, isSalvage: true, problems: problems);
        Assert.Equal(2, problems.Count);
        int end = (14 * Block) + Block - (20_000 - 512);
        Assert.Equal(content[..end], ReadUpTo(disk, end));
        byte[] one = new byte[1];
        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, Assert.Throws<Qcow2Exception>(() => disk.Read(end, one)).Code);
        Assert.Equal(15 * Block, disk.DamageEnd(end));
        Assert.Equal(16 * Block, disk.DamageEnd(15 * Block));
    }

    [Fact]
    public void A_table_or_bitmap_that_the_host_cannot_read_takes_along_what_it_is_about()
    {
        byte[] file = Sound().Build();
        bool isOpen = false;
        var storage = new MemoryStorage(file);
        storage.BeforeRead = (offset, length) =>
        {
            if (isOpen && (offset is 0x600 || offset == 0x800 + (3 * (Block + 512))))
            {
                throw new IOException($"{length} bytes cannot be read.");
            }
        };
        using VhdDisk disk = VhdImages.Open(storage);
        isOpen = true;
        Assert.Throws<IOException>(() => disk.Read(0, new byte[1]));
        Assert.Equal(1024L * Block, disk.DamageEnd(0));

        using VhdDisk other = VhdImages.Open(new MemoryStorage(file) { BeforeRead = (offset, _) => Fail(isOpen && offset == 0x800 + (3 * (Block + 512))) });
        Assert.Throws<IOException>(() => other.Read((3 * Block) + 4096, new byte[1]));
        Assert.Equal(4 * Block, other.DamageEnd((3 * Block) + 4096));
        Assert.Equal(1, other.Read(4 * Block, new byte[1]));
    }

    private static void Fail(bool isTime)
    {
        if (isTime)
        {
            throw new IOException("It cannot be read.");
        }
    }

    private static byte[] ReadUpTo(VirtualDisk disk, int end)
    {
        byte[] bytes = new byte[end];
        Assert.Equal(end, disk.Read(0, bytes));
        return bytes;
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

    /// <summary>With the first bit of some bytes changed; negative positions are from the end.</summary>
    private static byte[] Damaged(params int[] positions)
    {
        byte[] file = Sound().Build();
        foreach (int position in positions)
        {
            file[position < 0 ? file.Length + position : position] ^= 0x80;
        }

        return file;
    }
}

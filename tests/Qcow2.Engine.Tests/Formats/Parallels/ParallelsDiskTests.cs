using System.Buffers.Binary;
using System.Text;
using Qcow2.Engine.Formats.Parallels;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Formats.Vhdx;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Parallels;

/// <summary>What expanding disks of Parallels show: by hand-made ones, by qemu-img's, by samples; and each field with a lie in it.</summary>
public sealed class ParallelsDiskTests
{
    internal const string Old = "WithoutFreeSpace";
    internal const string New = "WithouFreSpacExt";

    private static readonly DiskFormat Format = DiskFormats.Get("parallels");

    private static ParallelsDisk Open(byte[] file) => ParallelsDisk.Open(new MemoryStorage(file, "hostile.hds"));

    /// <summary>Old files have tracks of 63 sectors for blocks.</summary>
    [Theory]
    [InlineData(Old, 63, 0)]
    [InlineData(Old, 8, 3)]
    [InlineData(New, 8, 3)]
    [InlineData(New, 2048, 1)]
    public void Blocks_lie_where_the_table_says(string magic, int blockSectors, int cutSectors)
    {
        (byte[] file, byte[] expected) = Build(magic, [2, 0, 1, 3, 0], blockSectors, cutSectors);
        using ParallelsDisk disk = Open(file);
        VhdxDiskTests.AssertShows(expected, disk, new Random(2));
        Assert.Equal(
            [ExtentKind.Data, ExtentKind.Unallocated, ExtentKind.Data, ExtentKind.Data, ExtentKind.Unallocated], disk.GetExtents().Select(extent => extent.Kind));
    }

    /// <summary>Parallels leaves something in the upper half of the size in the old format.</summary>
    [Fact]
    public void Size_of_the_old_format_has_32_bits()
    {
        (byte[] file, byte[] expected) = Build(Old, [1], 8, 0);
        file[41] = 7;
        using ParallelsDisk disk = Open(file);
        Assert.Equal(expected.Length, disk.Length);
    }

    [Fact]
    public void Disk_that_was_not_closed_is_read_with_a_warning()
    {
        (byte[] file, _) = Build(New, [1], 8, 0);
        "Ynot"u8.CopyTo(file.AsSpan(44));
        var problems = new List<string>();
        using VirtualDisk disk = Format.Open(new MemoryStorage(file), new Qcow2OpenOptions { OnProblem = problems.Add });
        Assert.Contains("in use", Assert.Single(problems), StringComparison.Ordinal);
        using var folder = new TempFolder();
        File.WriteAllBytes(folder.File("disk.hds"), file);
        Qcow2ImageInfo info = Format.ReadInformation(folder.File("disk.hds"));
        Assert.Equal((true, "parallels", 4096, 4096L), (info.IsDirty, info.Format, info.ClusterSize, info.Size));
    }

    [Theory]
    [InlineData(0, 4, 0UL, "no expanding disk")]
    [InlineData(16, 4, 1UL, "version 1")]
    [InlineData(16, 4, 3UL, "version 3")]
    [InlineData(28, 4, 0UL, "blocks of 0")]
    [InlineData(28, 4, 0xffff_ffffUL, "blocks of 4294967295")]
    [InlineData(32, 4, 0UL, "0 entries")]
    [InlineData(32, 4, 4UL, "needs 5")]
    [InlineData(32, 4, 0xffff_ffffUL, "block table")]
    [InlineData(36, 8, 1UL << 40, "needs")]
    [InlineData(36, 8, ulong.MaxValue, "limit")]
    public void Header_that_lies_is_refused(int at, int length, ulong value, string message)
    {
        (byte[] file, _) = Build(New, [2, 0, 1, 3, 0], 8, 0);
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        bytes.AsSpan(0, length).CopyTo(file.AsSpan(at));
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Open(file));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains("hostile.hds", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(New, 5U)]
    [InlineData(New, 0xffff_ffffU)]
    [InlineData(Old, 33U)]
    [InlineData(Old, 0xffff_ffffU)]
    public void Entry_that_lies_costs_its_block_alone(string magic, uint entry)
    {
        (byte[] file, byte[] expected) = Build(magic, [1, 2, 3], 8, 0);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(64 + 4), entry);
        using ParallelsDisk disk = Open(file);
        byte[] part = new byte[100];
        Assert.Contains("is said to lie", Assert.Throws<Qcow2Exception>(() => disk.Read(4096, part)).Message, StringComparison.Ordinal);
        Assert.Equal(8192, disk.DamageEnd(4096));
        disk.Read(8192, part);
        Assert.Equal(expected[8192..8292], part);
    }

    [Fact]
    public void Block_does_not_lie_in_the_table()
    {
        (byte[] file, _) = Build(Old, [1, .. new uint[200]], 8, 0);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(64), 1);
        using ParallelsDisk disk = Open(file);
        Assert.Contains("is said to lie at 0x200", Assert.Throws<Qcow2Exception>(() => disk.Read(0, new byte[1])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Old)]
    [InlineData(New)]
    public void Whatever_is_changed_ends_in_a_disk_or_an_error(string magic)
    {
        (byte[] sound, _) = Build(magic, [2, 0, 1, 3, 0], 8, 0);
        (int opened, int rounds) = DiskAsserts.SurvivesChanges(sound, [(0, 64), (64, 20)], ParallelsOf);
        Assert.InRange(opened, rounds / 4, rounds);

        static VirtualDisk ParallelsOf(BlockStorage storage) => ParallelsDisk.Open(storage);
    }

    [QemuFact]
    public void What_qemu_img_writes_is_read()
    {
        using var folder = new TempFolder();
        byte[] content = new byte[(20 << 20) + 1024];
        new Random(5).NextBytes(content.AsSpan(9 << 20, 3 << 20));
        new Random(6).NextBytes(content.AsSpan(content.Length - 700));
        File.WriteAllBytes(folder.File("disk.raw"), content);
        QemuImg.Run("convert", "-f", "raw", "-O", "parallels", folder.File("disk.raw"), folder.File("disk.hds"));
        using VirtualDisk disk = Format.Open(folder.File("disk.hds"));
        VhdxDiskTests.AssertShows(content, disk, new Random(7));
    }

    [SampleFact]
    public void Samples_of_other_programs_show_the_disks_of_their_manifest() => DiskAsserts.ShowsManifest("parallels", 5, storage =>
    {
        FormatRecognition seen = DiskFormats.Recognize(storage, ".hds");
        return (seen.Format ?? DiskFormats.Raw).Open(storage); // One of them is plain.
    });

    /// <summary>A file with its blocks from the end of the table on, in the order of their numbers; and its disk.</summary>
    internal static (byte[] File, byte[] Disk) Build(string magic, uint[] table, int blockSectors, int cutSectors)
    {
        var random = new Random(1);
        int block = blockSectors * 512;
        int first = magic == New ? block : 1024;
        byte[] file = new byte[first + (table.Count(number => number > 0) * block)];
        byte[] disk = new byte[table.Length * block];
        Encoding.ASCII.GetBytes(magic).CopyTo(file, 0);
        foreach ((int at, int value) in new[] { (16, 2), (20, 16), (28, blockSectors), (32, table.Length), (36, (table.Length * blockSectors) - cutSectors), (48, first / 512) })
        {
            BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
        }

        for (int i = 0; i < table.Length; i++)
        {
            if (table[i] > 0)
            {
                int place = first + (((int)table[i] - 1) * block);
                random.NextBytes(file.AsSpan(place, block));
                file.AsSpan(place, block).CopyTo(disk.AsSpan(i * block));
                BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(64 + (i * 4)), magic == New ? place / block : place / 512);
            }
        }

        return (file, disk[..(disk.Length - (cutSectors * 512))]);
    }
}

using System.Globalization;
using System.Text.Json;

namespace Qcow2.Engine.Tests.Partitions;

/// <summary>Partition tables, beside what sfdisk says of them (tests/Fixtures/volumes).</summary>
public sealed class PartitionTableTests
{
    private const long MiB = 1 << 20;

    private static readonly string[][] Rows = [.. File.ReadLines(Path.Combine(SectorDisk.Folder, "tables.tsv")).Skip(1).Select(line => line.Split('\t'))];

    public static TheoryData<string> Names => [.. Rows.Select(row => row[0]).Where(name => File.Exists(Path.Combine(SectorDisk.Folder, name + ".json")))];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_table_is_what_sfdisk_says(string name)
    {
        int sectorSize = int.Parse(Rows.Single(row => row[0] == name)[2], CultureInfo.InvariantCulture);
        JsonElement table = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(SectorDisk.Folder, name + ".json"))).RootElement.GetProperty("partitiontable");
        AssertIs(table, sectorSize, DiskPartitions.Read(SectorDisk.Load(name)));
    }

    /// <summary>Compares with the words of sfdisk.</summary>
    internal static void AssertIs(JsonElement table, int sectorSize, DiskPartitions found)
    {
        bool isGpt = table.GetProperty("label").GetString() == "gpt";
        Assert.Equal((isGpt ? PartitionStyle.Gpt : PartitionStyle.Mbr, sectorSize), (found.Style, found.SectorSize));
        Assert.Equal(table.GetProperty("id").GetString()!.ToLowerInvariant(), isGpt ? found.Id : "0x" + (found.Id ?? "00000000"));
        JsonElement[] expected = table.TryGetProperty("partitions", out JsonElement list) ? [.. list.EnumerateArray()] : [];
        Assert.Equal(expected.Select(Line(isGpt, sectorSize)).Order(), found.Partitions.Where(one => one.PartitionNumber is not null).Select(Line(isGpt)).Order());
    }

    [Fact]
    public void A_type_has_a_name_and_attributes_have_properties()
    {
        IReadOnlyList<Qcow2Partition> found = DiskPartitions.Read(SectorDisk.Load("gpt")).Partitions;
        Assert.Equal(["BIOS boot", "EFI System", "Microsoft basic data", "Linux root (x86-64)", null], found.Select(one => one.Type));
        Assert.Equal([1, 2, 3, 5, 9], found.Select(one => one.PartitionNumber));
        Assert.Equal([true, false, false, false, false], found.Select(one => one.IsActive));
        Assert.Equal([false, true, false, false, false], found.Select(one => one.IsRequired));
        Assert.Equal([false, true, true, false, false], found.Select(one => one.NoDefaultDriveLetter));
        Assert.Equal([false, false, true, false, false], found.Select(one => one.IsHidden));
        Assert.Equal([false, false, true, false, false], found.Select(one => one.IsReadOnly));
        Assert.Equal("{c12a7328-f81f-11d2-ba4b-00a0c93ec93b}", found[1].GptType);
        Assert.Equal("{d1a2b3c4-0000-4000-8000-000000000002}", found[1].Guid);
        Assert.Equal("rööt 日本", found[3].Label);
        Assert.All(found, one => Assert.Equal(("d1a2b3c4-0000-4000-8000-000000000000", 512, PartitionStyle.Gpt), (one.PartitionTableId, one.SectorSize, one.PartitionStyle)));
    }

    [Theory]
    [InlineData("gpt", null)]
    [InlineData("gpt-4k", null)]
    [InlineData("mbr", null)]
    [InlineData("mbr-empty", null)]
    [InlineData("gpt-primary-damaged", "its check sum is wrong); this is its backup")]
    [InlineData("gpt-primary-zeroed", "there is none); this is its backup")]
    [InlineData("gpt-entries-damaged", "the check sum of its entries is wrong); this is its backup")]
    [InlineData("gpt-backup-zeroed", "The backup of the GPT cannot be used (there is none). sgdisk -e")]
    [InlineData("gpt-both-zeroed", "neither it (there is none) nor its backup can be used")]
    [InlineData("gpt-grown", "The backup of the GPT ends at 33554432 and the disk at 50331648")]
    [InlineData("gpt-grown-and-zeroed", "there is none); this is its backup")]
    [InlineData("gpt-cut", "The disk ends before the place of the GPT's backup, sector 65535")]
    [InlineData("gpt-hybrid", "hybrid")]
    [InlineData("gpt-under-mbr", "Remains of a GPT are on the disk, which now has an MBR")]
    [InlineData("mbr-loop", "The chain of logical partitions runs in a circle")]
    public void What_is_wrong_is_said_once(string name, string? problem)
    {
        IReadOnlyList<string> problems = DiskPartitions.Read(SectorDisk.Load(name)).Problems;
        if (problem is null)
        {
            Assert.Empty(problems);
        }
        else
        {
            Assert.Contains(problem, Assert.Single(problems), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_backup_is_found_where_the_disk_ended_before_it_grew()
    {
        var found = DiskPartitions.Read(SectorDisk.Load("gpt-grown-and-zeroed"));
        Assert.Equal(PartitionStyle.Gpt, found.Style);
        Assert.Equal([1, 2, 3, 5, 9], found.Partitions.Select(one => one.PartitionNumber));
    }

    [Fact]
    public void A_protective_record_alone_is_shown_as_what_it_is()
    {
        var found = DiskPartitions.Read(SectorDisk.Load("gpt-both-zeroed"));
        Assert.Equal(PartitionStyle.Mbr, found.Style);
        Assert.Equal((0xee, "GPT protective"), (Assert.Single(found.Partitions).MbrType, found.Partitions[0].Type));
    }

    [Fact]
    public void A_partition_that_passes_the_end_says_so()
    {
        IReadOnlyList<Qcow2Partition> found = DiskPartitions.Read(SectorDisk.Load("gpt-cut")).Partitions;
        Assert.Equal([$"It ends {2 * MiB} bytes past the end of the disk."], found.Single(one => one.PartitionNumber == 3).Problems);
        Assert.Equal(["It lies past the end of the disk."], found.Single(one => one.PartitionNumber == 9).Problems);
        Assert.Empty(found[0].Problems);
    }

    [Fact]
    public void Partitions_in_each_others_place_say_so()
    {
        IReadOnlyList<Qcow2Partition> found = DiskPartitions.Read(TestTables.Mbr(64 * MiB, (2048, 4096, 0x83), (4096, 100, 0x83), (8192, 10, 0x83))).Partitions;
        Assert.Equal([[], ["It lies in the place of partition 1."], []], found.Select(one => one.Problems));
    }

    /// <summary>Of an MBR nothing says how large sectors are but what then lies where the partitions begin.</summary>
    [Fact]
    public void Sectors_of_an_mbr_are_found_by_what_lies_in_the_partitions()
    {
        Assert.Equal(4096, DiskPartitions.Read(SectorDisk.Load("mbr-4k")).SectorSize);
        Assert.Equal(512, DiskPartitions.Read(SectorDisk.Load("mbr")).SectorSize);
        Assert.Equal(4096, DiskPartitions.Read(SectorDisk.Load("mbr", declared: 4096)).SectorSize);
        Assert.Equal(512, DiskPartitions.Read(SectorDisk.Load("mbr", declared: 4096), sectorSize: 512).SectorSize);
    }

    [Theory]
    [InlineData("gpt", 4096, 512)]
    [InlineData("gpt-4k", 512, 4096)]
    [InlineData("gpt-4k", 4096, 4096)]
    public void Sectors_of_another_size_than_the_disk_declares_are_a_problem(string name, int declared, int found)
    {
        var read = DiskPartitions.Read(SectorDisk.Load(name, declared));
        Assert.Equal(found, read.SectorSize);
        Assert.Equal(declared != found, read.Problems.Any(problem => problem.Contains("a guest finds no partition", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_gpt_without_its_protective_record_is_shown_with_a_word()
    {
        SectorDisk disk = SectorDisk.Load("gpt");
        disk.Write(0, new byte[512]);
        var found = DiskPartitions.Read(disk);
        Assert.Equal(5, found.Partitions.Count);
        Assert.Contains("no protective MBR", Assert.Single(found.Problems), StringComparison.Ordinal);

        // But not where the whole disk was formatted since.
        found = DiskPartitions.Read(disk.With(0, SectorDisk.Load("luks2")));
        Assert.Equal((PartitionStyle.Raw, "crypto_LUKS"), (found.Style, Assert.Single(found.Partitions).FileSystem));
        Assert.Contains("Remains of a GPT", Assert.Single(found.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_system_with_a_boot_loader_is_no_partition_table()
    {
        SectorDisk disk = SectorDisk.Load("ext4");
        disk.Write(0, [0xeb, 0x3c, 0x90]);
        disk.Write(510, [0x55, 0xaa]);
        var found = DiskPartitions.Read(disk);
        Assert.Equal((PartitionStyle.Raw, "ext4"), (found.Style, Assert.Single(found.Partitions).FileSystem));
    }

    [Fact]
    public void A_disc_that_starts_from_sticks_too_is_both()
    {
        SectorDisk disk = TestTables.Mbr(SectorDisk.Load("iso9660").Length, (0, 800, 0x00), (64, 100, 0xef)).With(0, SectorDisk.Load("iso9660"));
        disk.Write(0, SectorDisk.Bytes(TestTables.Mbr(1 << 20, (0, 800, 0x17), (64, 100, 0xef)), 0, 512));
        var found = DiskPartitions.Read(disk);
        Assert.Equal(PartitionStyle.Mbr, found.Style);
        Assert.Equal([null, 1, 2], found.Partitions.Select(one => one.PartitionNumber));
        Assert.Equal(["iso9660", "iso9660", null], found.Partitions.Select(one => one.FileSystem));
    }

    [Fact]
    public void An_array_at_the_end_of_the_last_partition_is_not_the_disks()
    {
        SectorDisk member = SectorDisk.Load("md-0.90");
        SectorDisk disk = TestTables.Mbr(MiB + member.Length, (2048, member.Length / 512, 0xfd)).With(MiB, member);
        Qcow2Partition found = Assert.Single(DiskPartitions.Read(disk).Partitions);
        Assert.Equal((1, "linux_raid_member"), (found.PartitionNumber, found.FileSystem));

        // The disk itself is a member, and the table of the array shows through.
        SectorDisk whole = SectorDisk.Load("md-0.90").With(0, TestTables.Mbr(4 * MiB, (2048, 1024, 0x83)));
        Assert.Equal([null, 1], DiskPartitions.Read(whole).Partitions.Select(one => one.PartitionNumber));
    }

    [Fact]
    public void Damage_of_the_image_is_a_problem_of_the_partition_that_it_lies_in()
    {
        SectorDisk disk = SectorDisk.Load("mbr");
        disk.Damaged = (MiB, 2 * MiB);
        IReadOnlyList<Qcow2Partition> found = DiskPartitions.Read(disk.With(16 * MiB, SectorDisk.Load("swap"))).Partitions;
        Assert.Equal("The image is damaged here: A cluster is gone.", Assert.Single(found.Single(one => one.PartitionNumber == 1).Problems));
        Assert.Equal("swap", found.Single(one => one.PartitionNumber == 6).FileSystem);
    }

    [Fact]
    public void An_empty_disk_has_nothing()
    {
        foreach (long length in new long[] { 0, 1, 511, 512, 4096, long.MaxValue })
        {
            var found = DiskPartitions.Read(new SectorDisk(length));
            Assert.Equal((PartitionStyle.Raw, 0, 0), (found.Style, found.Partitions.Count, found.Problems.Count));
        }
    }

    [Theory]
    [InlineData("gpt", 48, "The backup of the GPT ends at 33554432 and the disk at 50331648: what lies between")]
    [InlineData("gpt", 32, null)]
    [InlineData("gpt", 31, "The backup of the GPT lies at the end of the disk and is cut off")]
    [InlineData("gpt", 22, "Partitions 3, 9 end past the new end of the disk, 23068672 bytes")]
    [InlineData("gpt-grown", 32, null)]
    [InlineData("gpt-4k", 48, "The backup of the GPT ends at 33554432")]
    [InlineData("mbr", 48, null)]
    [InlineData("mbr", 24, null)]
    [InlineData("mbr", 14, "Partitions 6, 7 end past")]
    [InlineData("mbr", 3 << 20, "cannot reach past 2199023255552 bytes")]
    [InlineData("ext4", 8, null)]
    public void Another_size_of_the_disk_has_consequences(string name, long mebibytes, string? consequence)
    {
        IReadOnlyList<string> problems = DiskPartitions.ProblemsOf(SectorDisk.Load(name), mebibytes * MiB);
        if (consequence is null)
        {
            Assert.Empty(problems);
        }
        else
        {
            Assert.Contains(consequence, problems[0], StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("gpt", 4096, true)]
    [InlineData("gpt", 512, false)]
    [InlineData("gpt-4k", 512, true)]
    [InlineData("mbr-4k", 512, true)]
    [InlineData("mbr-4k", 4096, false)]
    [InlineData("ext4", 4096, false)]
    public void Another_size_of_sectors_has_consequences(string name, int sectorSize, bool isProblem)
    {
        SectorDisk disk = SectorDisk.Load(name);
        Assert.Equal(isProblem, DiskPartitions.ProblemsOf(disk, disk.Length, sectorSize).Any(problem => problem.Contains("will not start", StringComparison.Ordinal)));
    }

    private static Func<JsonElement, string> Line(bool isGpt, int sectorSize) => one =>
    {
        string node = one.GetProperty("node").GetString()!;
        string Text(string name) => one.TryGetProperty(name, out JsonElement value) ? value.ToString() : "";
        string type = isGpt ? $"{{{Text("type").ToLowerInvariant()}}} {{{Text("uuid").ToLowerInvariant()}}}" : Text("type");
        return $"{node["disk".Length..]} {one.GetProperty("start").GetInt64() * sectorSize} {one.GetProperty("size").GetInt64() * sectorSize} {type} '{Text("name")}' {Attributes(Text("attrs")):x} "
            + (isGpt ? "" : Text("bootable").Equals("true", StringComparison.OrdinalIgnoreCase));
    };

    private static Func<Qcow2Partition, string> Line(bool isGpt) => one
        => $"{one.PartitionNumber} {one.Offset} {one.Size} {(isGpt ? $"{one.GptType} {one.Guid}" : $"{one.MbrType:x}")} '{one.Label}' {one.GptAttributes:x} {(isGpt ? "" : one.IsActive)}";

    private static ulong Attributes(string words)
    {
        ulong bits = 0;
        foreach (string word in words.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            bits |= word switch
            {
                "RequiredPartition" => 1,
                "NoBlockIOProtocol" => 2,
                "LegacyBIOSBootable" => 4,
                _ => word["GUID:".Length..].Split(',').Aggregate(0UL, (all, bit) => all | (1UL << int.Parse(bit, CultureInfo.InvariantCulture))),
            };
        }

        return bits;
    }
}

using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Qcow2.Engine.Tests.Partitions;

/// <summary>What lies in a partition, beside what blkid says of it: superblocks that the real programs made (tests/Fixtures/volumes).</summary>
public sealed partial class VolumeSignatureTests
{
    /// <summary>Exit code of blkid where several marks contradict each other.</summary>
    private const int Ambiguous = 8;

    private static readonly string[][] Rows = [.. File.ReadLines(Path.Combine(SectorDisk.Folder, "volumes.tsv")).Skip(1).Select(line => line.Split('\t'))];

    public static TheoryData<string> Names => [.. Rows.Select(row => row[0])];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_bare_volume_is_what_blkid_says(string name)
    {
        string[] row = Rows.Single(one => one[0] == name);
        SectorDisk disk = SectorDisk.Load(name);
        var found = DiskPartitions.Read(disk);
        Assert.Equal(PartitionStyle.Raw, found.Style);
        if (row[3].Length == 0)
        {
            Assert.Equal(int.Parse(row[2], CultureInfo.InvariantCulture) == Ambiguous ? 1 : 0, found.Partitions.Count);
            Assert.All(found.Partitions, one => Assert.Null(one.FileSystem));
            Assert.All(found.Partitions, one => Assert.Contains("ext4", Assert.Single(one.Problems), StringComparison.Ordinal));
            return;
        }

        Qcow2Partition volume = Assert.Single(found.Partitions);
        Assert.Null(volume.PartitionNumber);
        Assert.Equal((0, disk.Length, disk.Path), (volume.Offset, volume.Size, volume.Path));
        Assert.Empty(volume.Problems);
        AssertIs(row, volume);
        Assert.InRange(disk.BytesRead, 1, 1 << 20);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void It_is_found_in_a_partition_too(string name)
    {
        string[] row = Rows.Single(one => one[0] == name);
        SectorDisk volume = SectorDisk.Load(name);
        SectorDisk disk = TestTables.Mbr(512L << 20, (2048, volume.Length / 512, 0x83), (2048 + (volume.Length / 512), 100, 0x83)).With(1 << 20, volume);
        disk.Resize((1 << 20) + volume.Length + 51200);
        var found = DiskPartitions.Read(disk);
        Assert.Equal(PartitionStyle.Mbr, found.Style);
        Assert.Equal([1, 2], found.Partitions.Select(one => one.PartitionNumber));
        AssertIs(row, found.Partitions[0]);
        Assert.Null(found.Partitions[1].FileSystem);
    }

    [Fact]
    public void What_a_superblock_says_of_its_size_is_held_against_the_partition()
    {
        SectorDisk disk = SectorDisk.Load("ext4").Resize(8 << 20);
        Qcow2Partition volume = Assert.Single(DiskPartitions.Read(disk).Partitions);
        Assert.Equal("ext4", volume.FileSystem);
        Assert.Equal(["The file system has 16777216 bytes, more than its partition."], volume.Problems);
    }

    [Fact]
    public void A_sum_that_is_wrong_makes_a_superblock_none()
    {
        foreach ((string name, long place) in new[] { ("ext4", 1024L + 0x70), ("xfs", 40), ("lvm", 512 + 100) })
        {
            SectorDisk disk = SectorDisk.Load(name);
            disk.Write(place, [0x77]);
            Assert.Empty(DiskPartitions.Read(disk).Partitions);
        }
    }

    [Fact]
    public void A_label_is_not_changed_however_hostile_it_is()
        => Assert.Equal("a\u001b[31mb\tc", Assert.Single(DiskPartitions.Read(SectorDisk.Load("ext4-hostile-label")).Partitions).FileSystemLabel);

    [Fact]
    public void A_directory_that_runs_in_a_circle_has_no_label()
    {
        SectorDisk disk = SectorDisk.Load("fat32-no-label");
        long table = 32 * 512;
        disk.Write(table + 8, [2, 0, 0, 0]); // The root directory's cluster follows itself.
        long root = table + (2L * BitConverter.ToUInt32(SectorDisk.Bytes(disk, 36, 4)) * 512);
        for (long at = root; at < root + 512; at += 32)
        {
            disk.Write(at, [(byte)'A', .. "BC        "u8]);
        }

        Qcow2Partition volume = Assert.Single(DiskPartitions.Read(disk).Partitions);
        Assert.Equal(("FAT32", null), (volume.FileSystem, volume.FileSystemLabel));
    }

    private static void AssertIs(string[] row, Qcow2Partition volume)
    {
        string type = row[3] switch
        {
            "vfat" => row[4],
            "ntfs" => "NTFS",
            "exfat" => "exFAT",
            _ => row[3],
        };
        if (row[3].Length == 0)
        {
            Assert.Null(volume.FileSystem);
            return;
        }

        Assert.Equal(type, volume.FileSystem);
        bool isNewer = row[6].Length == 0 && row[3] == "ReFS"; // Newer programs of util-linux say an id of it.
        Assert.Equal((Decoded(row[5]), isNewer ? "8A1C3F5E00112233" : Decoded(row[6])), (volume.FileSystemLabel, volume.FileSystemUuid));
        if (row[4].Length > 0 && volume.FileSystemVersion is not null)
        {
            Assert.Equal(Decoded(row[4]), volume.FileSystemVersion);
        }

        if (row[7].Length > 0)
        {
            Assert.Equal(long.Parse(row[7], CultureInfo.InvariantCulture), volume.FileSystemSize);
        }
    }

    /// <summary>blkid writes bytes that udev does not take as \xNN.</summary>
    private static string? Decoded(string text)
    {
        string latin = EscapedByte().Replace(Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text)), match => ((char)Convert.ToByte(match.Groups[1].Value, 16)).ToString());
        string decoded = Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(latin)).TrimEnd();
        return decoded.Length == 0 ? null : decoded;
    }

    [GeneratedRegex(@"\\x([0-9a-f]{2})")]
    private static partial Regex EscapedByte();
}

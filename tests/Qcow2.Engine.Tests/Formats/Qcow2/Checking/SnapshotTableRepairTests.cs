using System.Buffers.Binary;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Checking;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>Snapshot tables that cannot be used as they are: as much as possible of them survives a repair, and QEMU takes what is left.</summary>
public sealed class SnapshotTableRepairTests
{
    private const int MostTableBytes = 64 << 20;

    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    public void Entries_without_extra_data_get_the_size_of_the_disk(int length)
    {
        byte[] file = Repair(new ImageBuilder { DataClusters = 2, Snapshots = [new("1", "a", length), new("2", "b")] }.Build().Bytes, 2);
        using Qcow2Image image = Qcow2Image.Open(new MemoryStorage(file));
        Assert.All(image.Snapshots, snapshot => Assert.Equal(65_536UL, snapshot.DiskSize));
        AssertSnapshotsShowTheDisk(image);
    }

    [Fact]
    public void Table_that_is_too_large_keeps_every_snapshot_and_loses_what_nobody_knows()
    {
        // Extra data of 40 MiB each, which the format does not allow, as a table of more than 64 MiB must have.
        BuiltImage built = new ImageBuilder { DataClusters = 2, Snapshots = [new("1", "a"), new("2", "b"), new("3", "c")] }.Build();
        var table = new MemoryStream();
        foreach (int entry in built.SnapshotEntryOffsets)
        {
            byte[] head = built.Bytes[entry..(entry + 64)];
            BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(36), 40 << 20);
            table.Write(head);
            table.Write(new byte[(40 << 20) - 24]);
            table.Write(built.Bytes.AsSpan(entry + 64, 8));
        }

        Assert.True(table.Length > MostTableBytes);
        int place = built.Bytes.Length;
        byte[] bytes = built.SetU64(HeaderOffset.SnapshotsOffset, (uint)place).Append(table.ToArray()).Bytes;
        byte[] file = Repair(bytes, 3);
        using Qcow2Image image = Qcow2Image.Open(new MemoryStorage(file));
        Assert.Equal(["a", "b", "c"], image.Snapshots.Select(snapshot => snapshot.Name));
        AssertSnapshotsShowTheDisk(image);
    }

    [Fact]
    public void Snapshot_whose_table_lies_nowhere_goes_and_is_named()
    {
        BuiltImage built = new ImageBuilder { DataClusters = 2, Snapshots = [new("1", "a"), new("2", "b")] }.Build();
        var storage = new MemoryStorage(built.SetU64(built.SnapshotEntryOffsets[0], 0x00ff_ffff_ffff_f000).Bytes);
        Qcow2CheckResult result = Qcow2Repairer.Repair(storage, Qcow2RepairMode.All);
        Assert.True(result.IsHealthy);
        Assert.Contains(result.Findings, finding => finding.Message.Contains("snapshot 'a' (id 1) was removed", StringComparison.Ordinal));
        using Qcow2Image image = Qcow2Image.Open(storage);
        Assert.Equal(["b"], image.Snapshots.Select(snapshot => snapshot.Name));
        AssertSnapshotsShowTheDisk(image);
    }

    [Fact]
    public void Snapshot_that_shares_its_table_gets_its_own_and_one_with_a_taken_id_another()
    {
        BuiltImage built = new ImageBuilder { DataClusters = 2, Snapshots = [new("1", "a"), new("1", "b"), new("7", "c")] }.Build();
        built.SetU64(built.SnapshotEntryOffsets[2], (uint)built.L1Offset);
        byte[] file = Repair(built.Bytes, 3);
        using Qcow2Image image = Qcow2Image.Open(new MemoryStorage(file));
        Assert.Equal(["1", "2", "7"], image.Snapshots.Select(snapshot => snapshot.Id));
        AssertSnapshotsShowTheDisk(image);
    }

    // What lies behind the table is data, which as L1 entries claims everything: more than a pass can note, and no place is left.
    [Theory]
    [InlineData(5_000)]
    [InlineData(3_000_000)]
    [InlineData(uint.MaxValue)]
    public void Table_that_runs_on_into_data_is_cut_to_what_the_disk_needs(uint l1Size)
    {
        using var folder = new TempFolder();
        string path = Path.Combine(folder.Path, "image.qcow2");
        byte[] data = new byte[1_500 * 1024];
        using (Qcow2Image image = Qcow2Image.Create(path, 8 << 20, new Qcow2CreateOptions { ClusterSize = 4096 }))
        {
            for (int i = 1; i <= 3; i++)
            {
                data.AsSpan().Fill((byte)i);
                image.Write((long)i << 20, data);
                image.CreateSnapshot($"s{i}");
            }
        }

        byte[] bytes = File.ReadAllBytes(path);
        int entry = (int)BinaryPrimitives.ReadInt64BigEndian(bytes.AsSpan(HeaderOffset.SnapshotsOffset));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(entry + 8), l1Size);

        using Qcow2Image repaired = Qcow2Image.Open(new MemoryStorage(Repair(bytes, 3)));
        using VirtualDisk first = repaired.OpenSnapshot(repaired.Snapshots[0]);
        byte[] disk = new byte[4 << 20];
        first.Read(0, disk);
        Assert.Equal(-1, disk.AsSpan(1 << 20, data.Length).IndexOfAnyExcept((byte)1));
        Assert.Equal(-1, disk.AsSpan((1 << 20) + data.Length).IndexOfAnyExcept((byte)0));
    }

    [Theory]
    [InlineData(65_536, 0, 1)]
    [InlineData(65_536, (2 << 20) + 1, 3)]
    [InlineData((2 << 20) + 512, 512, 3)]
    public void State_of_a_machine_starts_with_an_entry_of_its_own(long diskSize, long stateSize, long entries)
    {
        BuiltImage built = new ImageBuilder { Snapshots = [new("1", "a")] }.Build();
        int extra = built.SnapshotEntryOffsets[0] + 40;
        var storage = new MemoryStorage(built.SetU64(extra, (ulong)stateSize).SetU64(extra + 8, (ulong)diskSize).Bytes);
        Qcow2Header header = HeaderCluster.Load(storage);
        Assert.Equal(entries, Assert.Single(SnapshotScan.Read(storage, header, default).Entries).L1EntriesNeeded(header));
    }

    private static byte[] Repair(byte[] bytes, int expected)
    {
        var storage = new MemoryStorage([.. bytes]);
        Qcow2CheckResult result = Qcow2Repairer.Repair(storage, Qcow2RepairMode.All);
        Assert.True(result.IsHealthy, $"{result}: {string.Join(" ", result.Findings.Take(3))}");
        if (QemuImg.IsAvailable)
        {
            using var folder = new TempFolder();
            string path = folder.Write("image.qcow2", storage.Content);
            Assert.Contains("No errors were found", QemuImg.Run("check", path), StringComparison.Ordinal);
            Assert.Equal(expected, QemuImg.Run("snapshot", "-l", path).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length - 2);
        }

        return storage.Content;
    }

    private static void AssertSnapshotsShowTheDisk(Qcow2Image image)
    {
        byte[] disk = new byte[image.Length];
        image.Read(0, disk);
        foreach (var snapshot in image.Snapshots)
        {
            using VirtualDisk then = image.OpenSnapshot(snapshot);
            byte[] content = new byte[then.Length];
            then.Read(0, content);
            Assert.Equal(disk, content);
        }
    }
}

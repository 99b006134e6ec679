using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>Clusters with more references than their count can say: what a writer does with them, and what a repair does.</summary>
public sealed class SharedClusterTests
{
    private const ulong Copied = 1UL << 63;
    private const int ClusterSize = 4096;

    /// <summary>What an earlier repair, or another program, left: a count of one, two entries, and no flag that says "mine alone".</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    public void Writer_never_gives_away_what_another_entry_needs(int order)
    {
        BuiltImage image = new ImageBuilder { RefcountOrder = order, DataClusters = 1 }.Build();
        ulong shared = image.GetU64(image.L2EntryOffset(0)) & ~Copied;
        var storage = new MemoryStorage(image.SetU64(image.L2EntryOffset(0), shared).SetU64(image.L2EntryOffset(1), shared).Bytes);
        byte[] other = Fill(0);
        using (Qcow2Image disk = Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true }))
        {
            disk.Read(ClusterSize, other);
            disk.Write(0, Fill(1));
            disk.Flush();
            for (int i = 2; i < 10; i++)
            {
                disk.Write(i * ClusterSize, Fill((byte)i));
                disk.Flush();
            }
        }

        using Qcow2Image read = Qcow2Image.Open(storage);
        byte[] found = new byte[ClusterSize];
        read.Read(ClusterSize, found);
        Assert.Equal(other, found);
    }

    [Fact]
    public void Discarding_gives_nothing_away_either()
    {
        BuiltImage image = new ImageBuilder { RefcountOrder = 0, DataClusters = 1 }.Build();
        ulong shared = image.GetU64(image.L2EntryOffset(0)) & ~Copied;
        var storage = new MemoryStorage(image.SetU64(image.L2EntryOffset(0), shared).SetU64(image.L2EntryOffset(1), shared).Bytes);
        byte[] other = new byte[ClusterSize];
        using (Qcow2Image disk = Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true }))
        {
            disk.Read(ClusterSize, other);
            disk.Discard(0, ClusterSize);
            disk.Flush();
            disk.Write(5 * ClusterSize, Fill(5));
        }

        using Qcow2Image read = Qcow2Image.Open(storage);
        byte[] found = new byte[ClusterSize];
        read.Read(ClusterSize, found);
        Assert.Equal(other, found);
    }

    [Fact]
    public void Each_entry_gets_a_cluster_of_its_own_and_the_flag()
    {
        BuiltImage image = new ImageBuilder { RefcountOrder = 0, DataClusters = 4 }.Build();
        var storage = new MemoryStorage(image.SetU64(image.L2EntryOffset(1), image.GetU64(image.L2EntryOffset(0))).Bytes);
        Qcow2CheckResult result = Qcow2Repairer.Repair(storage, Qcow2RepairMode.All);
        Assert.True(result.IsHealthy);
        var repaired = new ulong[2];
        for (int i = 0; i < 2; i++)
        {
            repaired[i] = System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(storage.Content.AsSpan(image.L2EntryOffset(i)));
            Assert.NotEqual(0UL, repaired[i] & Copied);
        }

        Assert.NotEqual(repaired[0], repaired[1]);
    }

    [Fact]
    public void What_would_be_too_much_to_copy_stays_as_it_is_and_is_marked()
    {
        // 1,023 copies of 64 KiB, of a file of a few hundred.
        BuiltImage image = new ImageBuilder { RefcountOrder = 0, ClusterBits = 16, DataClusters = 1, Size = 1UL << 29 }.Build();
        for (int i = 1; i < 1024; i++)
        {
            image.SetU64(image.L2EntryOffset(i), image.GetU64(image.L2EntryOffset(0)));
        }

        byte[] before = [.. image.Bytes];
        var storage = new MemoryStorage([.. before]);
        Qcow2CheckResult result = Qcow2Repairer.Repair(storage, Qcow2RepairMode.All);
        Assert.True(result.Corruptions <= result.Before!.Corruptions);
        Assert.Contains(result.Findings, finding => finding.Kind == Qcow2CheckFindingKind.RefcountOverflow);
        Assert.True(result.IsCorrupt);
        Assert.Equal(before.AsSpan(80), storage.Content.AsSpan(80));
        Qcow2Exception refused = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true }));
        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, refused.Code);
    }

    [Fact]
    public void Zero_flag_of_version_2_is_cleared_and_the_data_can_be_read()
    {
        BuiltImage image = new ImageBuilder { Version = 2, DataClusters = 2 }.Build();
        var storage = new MemoryStorage(image.FlipU64(image.L2EntryOffset(1), 1).SetU64(image.L2EntryOffset(5), 1).Bytes);
        Assert.True(Qcow2Repairer.Repair(storage, Qcow2RepairMode.All).IsHealthy);
        using Qcow2Image disk = Qcow2Image.Open(storage);
        byte[] content = new byte[6 * ClusterSize];
        disk.Read(0, content);
        Assert.Equal(image.Guest[..content.Length], content);
    }

    private static byte[] Fill(byte value)
    {
        byte[] data = new byte[ClusterSize];
        data.AsSpan().Fill(value);
        return data;
    }
}

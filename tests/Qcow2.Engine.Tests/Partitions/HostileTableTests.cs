using System.Buffers.Binary;

namespace Qcow2.Engine.Tests.Partitions;

/// <summary>All that lies on a disk is its guest's word: any bytes whatever are read, with little memory, and without an error.</summary>
public sealed class HostileTableTests
{
    public static TheoryData<int, ulong> HeaderLies => new()
    {
        { 72, ulong.MaxValue }, { 72, 1UL << 55 }, { 80, uint.MaxValue | (128UL << 32) }, { 80, 1 | ((ulong)uint.MaxValue << 32) }, { 80, 0 | (128UL << 32) },
        { 80, 128 | (0UL << 32) }, { 80, 128 | (127UL << 32) }, { 32, ulong.MaxValue }, { 32, 0 }, { 40, ulong.MaxValue }, { 48, 0 },
    };

    [Theory]
    [MemberData(nameof(HeaderLies))]
    public void A_header_that_lies_is_left_out(int field, ulong lie)
    {
        SectorDisk disk = SectorDisk.Load("gpt");
        byte[] word = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(word, lie);
        disk.Write(512 + field, word);
        TestTables.Sum(disk, 1);
        long before = GC.GetAllocatedBytesForCurrentThread();
        var found = DiskPartitions.Read(disk);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4 << 20);
        Assert.NotEmpty(found.Problems.Concat(found.Partitions.SelectMany(one => one.Problems)));
    }

    [Fact]
    public void An_entry_that_lies_is_left_out()
    {
        foreach ((ulong first, ulong last) in new[] { (5UL, 4UL), (0UL, ulong.MaxValue), (ulong.MaxValue, ulong.MaxValue), (1UL << 60, 1UL << 61) })
        {
            SectorDisk disk = SectorDisk.Load("gpt");
            byte[] words = new byte[16];
            BinaryPrimitives.WriteUInt64LittleEndian(words, first);
            BinaryPrimitives.WriteUInt64LittleEndian(words.AsSpan(8), last);
            disk.Write(1024 + 32, words);
            TestTables.Sum(disk, 1);
            var found = DiskPartitions.Read(disk);
            Assert.Equal([2, 3, 5, 9], found.Partitions.Select(one => one.PartitionNumber));
            Assert.Contains(found.Problems, problem => problem.StartsWith("Partition 1 cannot be", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void A_chain_of_many_links_ends()
    {
        const int Links = 3000;
        SectorDisk disk = TestTables.Mbr(8L << 30, (2048, 1 << 23, 0x0f));
        for (int i = 0; i < Links; i++)
        {
            SectorDisk record = TestTables.Mbr(512, (1, 1, 0x83), (2L * (i + 1), 2, 0x05));
            disk.With((2048 + (2L * i)) * 512, record);
        }

        var found = DiskPartitions.Read(disk);
        Assert.Equal(1001, found.Partitions.Count);
        Assert.Contains("more than 1000 logical partitions", Assert.Single(found.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public void Many_partitions_over_each_other_take_little_time_and_memory()
    {
        SectorDisk disk = SectorDisk.Load("gpt");
        byte[] entry = SectorDisk.Bytes(disk, 1024, 128);
        disk.Resize(1L << 40);
        const int Count = 8192;
        byte[] entries = new byte[Count * 128];
        for (int i = 0; i < Count; i++)
        {
            entry.CopyTo(entries, i * 128);
            BinaryPrimitives.WriteInt32LittleEndian(entries.AsSpan((i * 128) + 16), i);
        }

        disk.Write(1 << 20, entries);
        byte[] words = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(words, 2048);
        disk.Write(512 + 72, words);
        BinaryPrimitives.WriteInt32LittleEndian(words, Count);
        disk.Write(512 + 80, words.AsSpan(0, 4));
        TestTables.Sum(disk, 1);
        Assert.Equal(Count, DiskPartitions.Read(disk).Partitions.Count);
    }

    /// <summary>Random bytes of tables and superblocks, with their sums made right at times. The long form: QCOW2_FUZZ_ROUNDS rounds of each.</summary>
    [Fact]
    public void Any_bytes_are_read()
    {
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("QCOW2_FUZZ_ROUNDS"), out int asked) ? asked : 40;
        int kept = 0;
        foreach (string file in Directory.GetFiles(SectorDisk.Folder, "*.gz").Order(StringComparer.Ordinal))
        {
            SectorDisk sound = SectorDisk.Load(Path.GetFileNameWithoutExtension(file));
            long[] places = [.. sound.Written.Where(at => at < sound.Length).Order()];
            for (int seed = 0; seed < rounds && places.Length > 0; seed++)
            {
                var random = new Random(seed);
                SectorDisk disk = sound.Copy();
                for (int i = random.Next(1, 12); i > 0; i--)
                {
                    long at = places[random.Next(3) == 0 ? 0 : random.Next(places.Length)] + random.Next(512);
                    byte was = SectorDisk.Bytes(disk, at, 1)[0];
                    disk.Write(at, [random.Next(3) switch { 0 => 0xff, 1 => (byte)random.Next(256), _ => (byte)(was ^ (1 << random.Next(8))) }]);
                }

                if (random.Next(2) == 0 && disk.Length > 2048)
                {
                    TestTables.Sum(disk, 1);
                }

                if (random.Next(10) == 0)
                {
                    disk.Resize(random.NextInt64(disk.Length));
                }

                long before = GC.GetAllocatedBytesForCurrentThread();
                var found = DiskPartitions.Read(disk, random.Next(4) switch { 0 => 512, 1 => 4096, _ => null });
                DiskPartitions.ProblemsOf(disk, random.NextInt64(1L << 40), 4096);
                Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
                Assert.All(found.Partitions, one => Assert.True(one.Offset >= 0 && one.Size >= 0));
                kept += found.Partitions.Count > 0 ? 1 : 0;
            }
        }

        Assert.True(kept > rounds, $"{kept} disks still had something.");
    }
}

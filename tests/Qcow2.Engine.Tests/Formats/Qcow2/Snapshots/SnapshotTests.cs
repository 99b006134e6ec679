using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Reading;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Snapshots;

/// <summary>What the engine and QEMU make of each other's snapshots, and what is refused.</summary>
public sealed class SnapshotTests : IDisposable
{
    private static readonly Qcow2OpenOptions Writable = new() { Writable = true };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [QemuFact]
    public void Entry_is_the_one_that_qemu_img_writes()
    {
        string theirs = New("theirs.qcow2", 1 << 20);
        QemuImg.Run("snapshot", "-c", "näme", theirs);
        string ours = New("ours.qcow2", 1 << 20);
        using (Qcow2Image image = Qcow2Image.Open(ours, Writable))
        {
            image.CreateSnapshot("näme");
        }

        SnapshotTableEntry expected = Snapshots(theirs).Single();
        SnapshotTableEntry found = Snapshots(ours).Single();

        // qemu-img leaves the instruction count 0; the specification wants -1 where none was recorded, as QEMU itself writes.
        Assert.Equal((expected.ExtraData.Length, expected.DiskSize, expected.VmStateSize), (found.ExtraData.Length, found.DiskSize, found.VmStateSize));
        Assert.Null(found.InstructionCount);
        Assert.Equal((expected.Id, expected.Name, expected.L1Size, expected.VmClockNanoseconds), (found.Id, found.Name, found.L1Size, found.VmClockNanoseconds));
        Assert.InRange(found.DateSeconds, expected.DateSeconds - 5, expected.DateSeconds + 60);
    }

    [QemuFact]
    public void Qemu_img_applies_and_deletes_our_snapshots()
    {
        string path = New("image.qcow2", 3 << 20);
        var random = new Random(5);
        byte[] first = new byte[2_000_000];
        random.NextBytes(first);
        using (Qcow2Image image = Qcow2Image.Open(path, Writable))
        {
            image.Write(1000, first);
            image.CreateSnapshot("first");
            image.Write(500_000, new byte[700_000]);
            image.CreateSnapshot("second");
            image.WriteCompressed(1 << 20, first.AsSpan(0, 65_536));
        }

        string before = _folder.File("before.raw");
        QemuImg.Run("convert", "-l", "first", "-O", "raw", path, before);
        QemuImg.Run("snapshot", "-a", "first", path);
        AssertClean(path);
        Assert.Equal(0, QemuImg.TryRun("compare", "-f", "qcow2", "-F", "raw", path, before).ExitCode);
        QemuImg.Run("snapshot", "-d", "first", path);
        AssertClean(path);
        using (Qcow2Image image = Qcow2Image.Open(path, Writable))
        {
            Assert.Equal("second", Assert.Single(image.Snapshots).Name);
            Assert.True(DiskModel.ReadAll(image).AsSpan(1000, first.Length).SequenceEqual(first));
            image.DeleteSnapshot(image.Snapshots[0]);
        }

        AssertClean(path);
    }

    [QemuFact]
    public void Snapshots_of_both_are_changed_in_turn()
    {
        string path = New("image.qcow2", 2 << 20);
        var contents = new Dictionary<string, byte[]>();
        var random = new Random(7);
        for (int turn = 0; turn < 12; turn++)
        {
            using (Qcow2Image image = Qcow2Image.Open(path, Writable))
            {
                byte[] data = new byte[random.Next(1, 300_000)];
                random.NextBytes(data);
                image.Write(random.Next((2 << 20) - data.Length), data);
                contents[$"ours {turn}"] = DiskModel.ReadAll(image);
                image.CreateSnapshot($"ours {turn}");
                if (turn % 3 == 1)
                {
                    image.ApplySnapshot(image.FindSnapshot($"theirs {turn - 1}"));
                    image.DeleteSnapshot(image.FindSnapshot($"theirs {turn - 1}"));
                    contents.Remove($"theirs {turn - 1}");
                }

                contents[$"theirs {turn}"] = DiskModel.ReadAll(image);
            }

            AssertClean(path);
            QemuImg.Run("snapshot", "-c", $"theirs {turn}", path);
            if (turn % 3 == 2)
            {
                QemuImg.Run("snapshot", "-a", $"ours {turn - 1}", path);
                QemuImg.Run("snapshot", "-d", $"ours {turn - 1}", path);
                contents.Remove($"ours {turn - 1}");
            }

            AssertClean(path);
            using Qcow2Image again = Qcow2Image.Open(path);
            Assert.Equal(contents.Keys.Order(), again.Snapshots.Select(snapshot => snapshot.Name).Order());
            Assert.All(again.Snapshots, snapshot => Assert.True(DiskModel.ReadAll(again.OpenSnapshot(snapshot)).AsSpan().SequenceEqual(contents[snapshot.Name])));
        }
    }

    [QemuFact]
    public void Restored_image_is_what_it_was_to_qemu_img()
    {
        string path = New("image.qcow2", 3 << 20);
        string copy = _folder.File("copy.qcow2");
        var model = new DiskModel(new byte[3 << 20], 65_536, 3, "");
        using (Qcow2Image image = Qcow2Image.Open(path, Writable))
        {
            Enumerable.Range(0, 30).ToList().ForEach(_ => model.WriteSome(image));
        }

        File.Copy(path, copy);
        using (Qcow2Image image = Qcow2Image.Open(path, Writable))
        {
            SnapshotTableEntry snapshot = image.CreateSnapshot("keep");
            Enumerable.Range(0, 30).ToList().ForEach(_ => model.WriteSome(image));
            image.ApplySnapshot(snapshot);
            image.DeleteSnapshot(snapshot);
        }

        Assert.Equal(0, QemuImg.TryRun("compare", path, copy).ExitCode);
        AssertClean(path);
    }

    [Fact]
    public void Vm_state_stays_where_it_is()
    {
        Fixture fixture = Fixtures.Get("snapshots-vmstate");
        string path = fixture.CopyTo(_folder);
        SnapshotTableEntry[] before = [.. Snapshots(path)];
        SnapshotTableEntry saved = before.First(snapshot => snapshot.VmStateSize > 0);
        byte[] state = VmState(path, saved);
        Assert.NotEqual(-1, state.AsSpan().IndexOfAnyExcept((byte)0));
        using (Qcow2Image image = Qcow2Image.Open(path, Writable))
        {
            image.Write(0, new byte[100_000]);
            SnapshotTableEntry own = image.CreateSnapshot("own");
            image.ApplySnapshot(saved);
            image.CreateSnapshot("with the state in the active table");
            image.ApplySnapshot(own);
            image.DeleteSnapshot(own);
            image.RenameSnapshot(saved, "renamed");
        }

        SnapshotTableEntry after = Snapshots(path).Single(snapshot => snapshot.Id == saved.Id);
        Assert.Equal((saved.VmStateSize, saved.VmClockNanoseconds, saved.DateSeconds), (after.VmStateSize, after.VmClockNanoseconds, after.DateSeconds));
        Assert.Equal(saved.ExtraData.ToArray(), after.ExtraData.ToArray());
        Assert.True(state.AsSpan().SequenceEqual(VmState(path, after)));
        AssertClean(path);
    }

    [Fact]
    public void Snapshot_costs_tables_and_not_data()
    {
        using var storage = new MemoryStorage([]);
        using Qcow2Image image = Qcow2Image.Create(storage, 64 << 20);
        image.Write(0, Enumerable.Repeat((byte)1, 32 << 20).ToArray());
        image.Flush();
        long before = storage.Length;
        image.CreateSnapshot("a");
        Assert.InRange(storage.Length - before, 1, 12 * 65_536);
        long reads = storage.Reads;
        image.CreateSnapshot("b");
        Assert.InRange(storage.Reads - reads, 1, 40);
    }

    [Fact]
    public async Task Readers_beside_see_one_disk_or_the_other()
    {
        using var storage = new MemoryStorage([]);
        using Qcow2Image image = Qcow2Image.Create(storage, 4 << 20, new Qcow2CreateOptions { ClusterSize = 4096 });
        byte[] ones = [.. Enumerable.Repeat((byte)1, 1 << 20)];
        byte[] twos = [.. Enumerable.Repeat((byte)2, 1 << 20)];
        image.Write(0, ones);
        SnapshotTableEntry one = image.CreateSnapshot("one");
        image.Write(0, twos);
        SnapshotTableEntry two = image.CreateSnapshot("two");
        using var stop = new CancellationTokenSource();
        Task[] readers = [.. Enumerable.Range(0, 3).Select(start => Task.Run(() =>
        {
            byte[] cluster = new byte[4096];
            for (int at = start; !stop.IsCancellationRequested; at = (at + 7) % 256)
            {
                image.Read(at * 4096, cluster);
                Assert.True(cluster[0] is 1 or 2 && cluster.AsSpan().IndexOfAnyExcept(cluster[0]) < 0);
            }
        }))];
        for (int i = 0; i < 40; i++)
        {
            image.ApplySnapshot(i % 2 == 0 ? one : two);
            image.Write(2 << 20, ones); // Takes what was given up.
        }

        await stop.CancelAsync();
        await Task.WhenAll(readers);
        Assert.Equal(2, DiskModel.ReadAll(image)[0]);
    }

    [Fact]
    public void Deleted_snapshot_is_no_longer_read()
    {
        using var storage = new MemoryStorage([]);
        using Qcow2Image image = Qcow2Image.Create(storage, 1 << 20);
        SnapshotTableEntry snapshot = image.CreateSnapshot("a");
        VirtualDisk disk = image.OpenSnapshot(snapshot);
        image.DeleteSnapshot(snapshot);
        Assert.Throws<InvalidOperationException>(() => disk.Read(0, new byte[1]));
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => image.ApplySnapshot(snapshot));
        Assert.Equal(Qcow2ErrorCode.SnapshotNotFound, error.Code);
    }

    [Fact]
    public void Narrow_refcounts_refuse_a_snapshot_that_they_cannot_count()
    {
        using var storage = new MemoryStorage([]);
        using Qcow2Image image = Qcow2Image.Create(storage, 1 << 20, new Qcow2CreateOptions { RefcountBits = 1 });
        image.Write(0, new byte[] { 1 });
        image.Flush();
        byte[] before = [.. storage.Content];
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => image.CreateSnapshot("a"));
        Assert.Equal(Qcow2ErrorCode.LimitExceeded, error.Code);
        Assert.Contains("refcounts of 1 bits", error.Message, StringComparison.Ordinal);
        Assert.Empty(image.Snapshots);
        Assert.Equal(before, storage.Content[..before.Length]);
    }

    [Fact]
    public void Names_are_checked()
    {
        using var storage = new MemoryStorage([]);
        using Qcow2Image image = Qcow2Image.Create(storage, 1 << 20);
        SnapshotTableEntry a = image.CreateSnapshot("a");
        SnapshotTableEntry b = image.CreateSnapshot(new string('b', 255));
        Assert.Equal("2", b.Id);
        Assert.Equal(Qcow2ErrorCode.SnapshotExists, Assert.Throws<Qcow2Exception>(() => image.CreateSnapshot("a")).Code);
        Assert.Equal(Qcow2ErrorCode.SnapshotExists, Assert.Throws<Qcow2Exception>(() => image.CreateSnapshot("2")).Code);
        Assert.Equal(Qcow2ErrorCode.SnapshotExists, Assert.Throws<Qcow2Exception>(() => image.RenameSnapshot(b, "a")).Code);
        Assert.Throws<ArgumentException>(() => image.CreateSnapshot(""));
        Assert.Throws<ArgumentException>(() => image.CreateSnapshot(new string('ä', 128)));
        Assert.Same(a, image.RenameSnapshot(a, "a"));
        image.DeleteSnapshot(a);
        Assert.Equal("3", image.CreateSnapshot("a").Id);
    }

    [Fact]
    public void Time_and_clock_are_recorded()
    {
        using var storage = new MemoryStorage([]);
        using Qcow2Image image = Qcow2Image.Create(storage, 1 << 20);
        var options = new Qcow2SnapshotOptions
        {
            CreationTime = new DateTimeOffset(2026, 11, 22, 19, 30, 5, TimeSpan.FromHours(1)).AddTicks(1_234_567),
            VmClockNanoseconds = 5_000_000_001,
            InstructionCount = 77,
        };
        SnapshotTableEntry found = image.CreateSnapshot("a", options);
        Assert.Equal((1_795_372_205u, 123_456_700u, 5_000_000_001UL, 77UL), (found.DateSeconds, found.DateNanoseconds, found.VmClockNanoseconds, found.InstructionCount));
        Assert.Throws<ArgumentException>(() => image.CreateSnapshot("b", new Qcow2SnapshotOptions { CreationTime = DateTimeOffset.MinValue }));
    }

    [Fact]
    public void What_cannot_have_snapshots_says_so()
    {
        _folder.Write("data.raw", []);
        string path = _folder.File("data.qcow2");
        Qcow2Image.CreateFile(path, 1 << 20, new Qcow2CreateOptions { DataFile = "data.raw" }, overwrite: true);
        using Qcow2Image withDataFile = Qcow2Image.Open(path, Writable);
        Assert.Throws<NotSupportedException>(() => withDataFile.CreateSnapshot("a"));
        using Qcow2Image readOnly = Qcow2Image.Open(New("read-only.qcow2", 1 << 20));
        Assert.Throws<NotSupportedException>(() => readOnly.CreateSnapshot("a"));
    }

    [Fact]
    public void Tables_are_not_written_over_metadata_whose_refcount_is_wrong()
    {
        var storage = new MemoryStorage([]);
        long l1;
        using (Qcow2Image image = Qcow2Image.Create(storage, 100_000, new Qcow2CreateOptions { ClusterSize = 512 }))
        {
            image.Write(0, new byte[] { 1 });
            l1 = image.Header.L1TableOffset;
        }

        // The active L1 table counts as free: one refcount of 16 bits, in the first block.
        Qcow2Header header = HeaderCluster.Load(storage);
        byte[] block = new byte[8];
        storage.Read(header.RefcountTableOffset, block);
        long at = System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(block) + (l1 / 512 * 2);
        storage.Write(at, new byte[] { 0, 0 });
        byte[] before = [.. storage.Content];
        using (Qcow2Image image = Qcow2Image.Open(storage, Writable))
        {
            Qcow2Exception error = Assert.ThrowsAny<Qcow2Exception>(() => image.CreateSnapshot("a"));
            Assert.Equal(Qcow2ErrorCode.ImageCorrupt, error.Code);
            Assert.Contains("L1 table", error.Message, StringComparison.Ordinal);
            Assert.ThrowsAny<Qcow2Exception>(() => image.Write(0, new byte[] { 2 }));
            Assert.ThrowsAny<Qcow2Exception>(image.Dispose);
        }

        Assert.True(HeaderCluster.Load(storage).Has(IncompatibleFeatures.Corrupt));
        Assert.Equal(before.AsSpan(512).ToArray(), storage.Content.AsSpan(512, before.Length - 512).ToArray());
    }

    [Fact]
    public void Cancelled_change_leaves_everything_as_it_was()
    {
        using var storage = new MemoryStorage([]);
        using Qcow2Image image = Qcow2Image.Create(storage, 1 << 20, new Qcow2CreateOptions { ClusterSize = 512 });
        image.Write(0, Enumerable.Repeat((byte)1, 1 << 20).ToArray());
        SnapshotTableEntry first = image.CreateSnapshot("first");
        image.Write(0, new byte[300_000]);
        image.Flush();
        var before = SnapshotModel.Read(image);
        foreach (Action<CancellationToken> change in (Action<CancellationToken>[])[
            token => image.CreateSnapshot("second", null, token), token => image.ApplySnapshot(first, token), token => image.DeleteSnapshot(first, token)])
        {
            // In the middle of reading the tables, of which there are many.
            using var stop = new CancellationTokenSource();
            long start = storage.Reads;
            storage.BeforeRead = (_, _) =>
            {
                if (storage.Reads > start + 12)
                {
                    stop.Cancel();
                }
            };
            Assert.Throws<OperationCanceledException>(() => change(stop.Token));
            storage.BeforeRead = null;
            Assert.True(SnapshotModel.Read(image).IsSame(before));
        }

        image.DeleteSnapshot(first);
        image.Dispose();
        ImageAuditor audit = ImageAuditor.Audit(storage.Content);
        Assert.Empty(audit.Corruptions);
        Assert.Equal(0, audit.Leaks);
    }

    [Fact]
    public async Task Snapshots_of_many_threads_have_ids_of_their_own()
    {
        using var storage = new MemoryStorage([]);
        using Qcow2Image image = Qcow2Image.Create(storage, 1 << 20);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() =>
        {
            image.Write(i * 1000, new byte[] { (byte)i });
            image.CreateSnapshot($"of thread {i}");
        })));
        Assert.Equal(["1", "2", "3", "4", "5", "6", "7", "8"], image.Snapshots.Select(snapshot => snapshot.Id));
    }

    [Fact]
    public void Snapshot_whose_tables_are_damaged_is_not_restored_and_is_removed_without_freeing_anything()
    {
        Fixture fixture = Fixtures.Get("snapshots");
        byte[] file = File.ReadAllBytes(fixture.Path);
        SnapshotTableEntry first = Snapshots(fixture.Path)[0];
        for (int i = 0; i < first.L1Size; i++)
        {
            // Every L2 table of the snapshot lies past the end of the file.
            System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(file.AsSpan((int)first.L1TableOffset + (i * 8)), 1L << 40);
        }

        var storage = new MemoryStorage([.. file]);
        using Qcow2Image image = Qcow2Image.Open(storage, Writable);
        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, Assert.Throws<Qcow2Exception>(() => image.ApplySnapshot(first)).Code);
        image.Flush();
        Assert.Equal(file, storage.Content[..file.Length]);

        Assert.Contains("does not fit in the file", image.DeleteSnapshot(first), StringComparison.Ordinal);
        image.Flush();
        Assert.DoesNotContain(image.Snapshots, snapshot => snapshot.Id == first.Id);
        Qcow2CheckResult result = Qcow2Checker.Check(new MemoryStorage([.. storage.Content]));
        Assert.Equal((0, 0), (result.Corruptions, result.CheckErrors));
        Assert.True(result.Leaks > 0);
    }

    [Fact]
    public void Without_its_backing_file_an_image_still_has_snapshots_and_reads_no_zeros()
    {
        New("base.qcow2", 1 << 20);
        string path = _folder.File("top.qcow2");
        Qcow2Image.CreateFile(path, null, new Qcow2CreateOptions { BackingFile = "base.qcow2", BackingFormat = "qcow2" });
        File.Delete(_folder.File("base.qcow2"));
        using Qcow2Image image = Qcow2Image.Open(path, Writable with { WithoutBacking = true });
        image.ApplySnapshot(image.CreateSnapshot("a"));
        Assert.Equal(Qcow2ErrorCode.BackingFileUnavailable, Assert.Throws<Qcow2Exception>(() => image.Read(0, new byte[1])).Code);
        Assert.Equal(Qcow2ErrorCode.BackingFileUnavailable, Assert.Throws<Qcow2Exception>(() => image.Write(1, new byte[1])).Code);
    }

    private static IReadOnlyList<SnapshotTableEntry> Snapshots(string path)
    {
        using Qcow2Image image = Qcow2Image.Open(path);
        return image.Snapshots;
    }

    private static byte[] VmState(string path, SnapshotTableEntry snapshot)
    {
        // Where QEMU keeps it: behind the disk, from where the next L1 entry's coverage starts.
        using var storage = new MemoryStorage(File.ReadAllBytes(path));
        Qcow2Header header = HeaderCluster.Load(storage);
        using var resources = new ImageResources(header, storage, storage, null, null, 1 << 20, isWritable: false);
        L1Table l1 = L1Table.Load(storage, snapshot.L1TableOffset, snapshot.L1Size, "");
        using var disk = new MappedDisk(resources, l1, (long)l1.Count << header.Geometry.L1CoverageBits);
        byte[] state = new byte[snapshot.VmStateSize];
        long start = header.Geometry.L1EntriesFor((long)snapshot.DiskSize!) << header.Geometry.L1CoverageBits;
        Assert.Equal(state.Length, disk.Read(start, state));
        return state;
    }

    private string New(string name, long size)
    {
        string path = _folder.File(name);
        Qcow2Image.CreateFile(path, size);
        return path;
    }

    private static void AssertClean(string path)
    {
        (int corruptions, int leaks, string output) = QemuJudge.Check(path);
        Assert.True(corruptions == 0 && leaks == 0, output);
    }
}

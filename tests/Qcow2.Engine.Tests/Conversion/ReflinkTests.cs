using Qcow2.Engine.Chains;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>Copies on file systems whose files share extents: they take no new space, and each goes its own way afterwards.</summary>
public sealed class ReflinkTests
{
    private const int Size = (16 << 20) + 1024;

    /// <summary>Metadata of a file system grows a little with each file.</summary>
    private const long MostNewBytes = 2 << 20;

    [SharingFileSystemTheory]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public void Copies_take_no_space_and_are_independent(string kind)
    {
        using var volume = LoopFileSystem.Sharing(kind);
        byte[] content = new byte[Size];
        new Random(1).NextBytes(content);
        content.AsSpan(5 << 20, 1 << 20).Clear();
        string raw = volume.File("source.raw");
        File.WriteAllBytes(raw, content);

        var made = new List<(string Path, DiskFormat Format)>();
        string source = raw;
        foreach ((string name, DiskCreateOptions layout) in new (string, DiskCreateOptions)[]
            {
                ("plain.qcow2", Qcow2CreateOptions.Default),
                ("extended.qcow2", new Qcow2CreateOptions { ExtendedL2 = true }),
                ("data.qcow2", new Qcow2CreateOptions { DataFile = "data.bin" }),
                ("copy.raw", RawCreateOptions.Default),
                ("disk.vhdx", new VhdxCreateOptions { BlockSize = 1 << 20 }),
                ("disk.vdi", new VdiCreateOptions()),
                ("fixed.vhd", new VhdCreateOptions { IsFixed = true }),
                ("disk.vmdk", new VmdkCreateOptions()),
            })
        {
            string path = volume.File(name);
            long before = volume.UsedBytes;
            using (VirtualDisk disk = DiskFormats.Get(FormatOf(source)).Open(source))
            {
                ConversionResult result = DiskConverter.Convert(disk, path, layout);
                Assert.True(result.SharedBytes > 14 << 20, $"{source} to {name}: {result.SharedBytes} bytes were shared, {result.SharingRefusal}.");
                Assert.Null(result.SharingRefusal);
            }

            long taken = volume.UsedBytes - before;
            Assert.True(taken < MostNewBytes, $"{source} to {name}: {taken} bytes are new.");
            made.Add((path, DiskFormats.Get(FormatOf(path))));
            source = path; // So each is a source, too.
        }

        // What each of them gets afterwards is its own.
        using (LocalFile file = LocalFile.OpenReadWrite(raw))
        {
            file.Write(0, new byte[1 << 20]);
        }

        using (Qcow2Image image = Qcow2Image.Open(volume.File("plain.qcow2"), new Qcow2OpenOptions { Writable = true }))
        {
            image.Write(8 << 20, new byte[1 << 20]);
        }

        foreach ((string path, DiskFormat format) in made)
        {
            byte[] expected = ConversionJudge.WholeSectors(content);
            if (path.EndsWith("plain.qcow2", StringComparison.Ordinal))
            {
                expected.AsSpan(8 << 20, 1 << 20).Clear();
            }

            using VirtualDisk disk = format.Open(path);
            ConversionJudge.AssertSame(path, expected, DiskModel.ReadAll(disk).AsSpan(0, expected.Length));
        }

        ConversionJudge.AssertSound(kind, volume.File("plain.qcow2"));
        ConversionJudge.AssertSound(kind, volume.File("extended.qcow2"));
        if (QemuImg.IsAvailable)
        {
            Shell.Run("qemu-img", "compare", "-f", "raw", "-F", "vhdx", volume.File("copy.raw"), volume.File("disk.vhdx"));
            Shell.Run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", volume.File("copy.raw"), volume.File("extended.qcow2"));
        }
    }

    [SharingFileSystemTheory]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public void Snapshot_is_exported_without_a_copy_and_stopped_work_leaves_nothing(string kind)
    {
        using var volume = LoopFileSystem.Sharing(kind);
        byte[] content = new byte[Size & -512];
        new Random(2).NextBytes(content);
        string path = volume.File("image.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(path, content.Length))
        {
            image.Write(0, content);
            image.CreateSnapshot("before");
            image.Write(1 << 20, new byte[4 << 20]);
        }

        using Qcow2Image source = Qcow2Image.Open(path);
        using VirtualDisk snapshot = source.OpenSnapshot(source.Snapshots[0]);
        using var stop = new CancellationTokenSource();
        var stopping = new Stopping(stop);
        Assert.ThrowsAny<OperationCanceledException>(() => DiskConverter.Convert(snapshot, volume.File("copy.raw"), RawCreateOptions.Default, progress: stopping, cancellationToken: stop.Token));
        Assert.Equal([path], Directory.GetFileSystemEntries(volume.Path));

        long before = volume.UsedBytes;
        DiskConverter.Convert(snapshot, volume.File("copy.raw"), RawCreateOptions.Default);

        Assert.True(volume.UsedBytes - before < MostNewBytes);
        ConversionJudge.AssertSame(kind, content, File.ReadAllBytes(volume.File("copy.raw")));
    }

    /// <summary>What a merge, a rebase and a compaction take over takes no space, and the chain shows what it showed.</summary>
    [SharingFileSystemTheory]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public void Chains_are_merged_rebased_and_compacted_without_a_copy(string kind)
    {
        using var volume = LoopFileSystem.Sharing(kind);
        byte[] content = new byte[Size & -65_536];
        var random = new Random(4);
        random.NextBytes(content);
        string below = volume.File("base.qcow2");
        string path = volume.File("image.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(below, content.Length))
        {
            image.Write(0, content.AsSpan(0, 12 << 20));
        }

        using (Qcow2Image image = Qcow2Image.Create(path, content.Length, new Qcow2CreateOptions { BackingFile = "base.qcow2", BackingFormat = "qcow2" }))
        {
            random.NextBytes(content.AsSpan(8 << 20));
            image.Write(8 << 20, content.AsSpan(8 << 20));
            image.CreateSnapshot("before");
            random.NextBytes(content.AsSpan(14 << 20, 1 << 20));
            image.Write(14 << 20, content.AsSpan(14 << 20, 1 << 20));
            image.DeleteSnapshot(image.Snapshots[0]);
        }

        ConversionResult? shared = null;
        long before = volume.UsedBytes;
        ImageMerge.Merge(path, new ImageMergeOptions { Source = MergedImage.Keep, OnShared = result => shared = result });
        Assert.InRange(shared!.SharedBytes, 7 << 20, content.Length);
        Assert.True(volume.UsedBytes - before < MostNewBytes);
        ConversionJudge.AssertImage("merged", content, below, asksQemu: false);
        ConversionJudge.AssertImage("kept", content, path, asksQemu: false);

        before = volume.UsedBytes;
        ImageRebase.Rebase(path, new ImageRebaseOptions { OnShared = result => shared = result });
        Assert.InRange(shared.SharedBytes, 7 << 20, content.Length);
        Assert.True(volume.UsedBytes - before < MostNewBytes);
        ConversionJudge.AssertImage("rebased", content, path);

        // Half of it is given up, and a stretch is zeros that are data: compacting finds them, also in what could be shared.
        using (Qcow2Image image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true }))
        {
            image.Write(4 << 20, new byte[1 << 20]);
            content.AsSpan(4 << 20, 1 << 20).Clear();
            image.CreateSnapshot("now");
            random.NextBytes(content.AsSpan(1 << 20, 1 << 20));
            image.Write(1 << 20, content.AsSpan(1 << 20, 1 << 20));
        }

        Qcow2OptimizeResult optimized = ImageOptimizer.Optimize(path, new ImageOptimizeOptions { ReplacesAlways = true });
        Assert.InRange(optimized.SharedBytes, 13 << 20, (16 << 20) + 65_536);
        Assert.InRange(optimized.AllocatedSize, 16 << 20, 18 << 20); // With the zeros it would be one MiB more.
        ConversionJudge.AssertImage("compacted", content, path);
        ConversionJudge.AssertSound("its old base", below);
    }

    /// <summary>What a merge cannot share is copied by the host, in one way or another.</summary>
    [LinuxFact]
    public void Host_copies_what_lies_in_a_file_and_nothing_past_its_end()
    {
        using var folder = new TempFolder();
        byte[] content = new byte[300_000];
        new Random(7).NextBytes(content);
        using LocalFile source = LocalFile.OpenRead(folder.Write("source", content));
        using LocalFile destination = LocalFile.CreateNew(folder.File("destination"));

        Assert.True(destination.TryCopy(source, 1000, 5000, 200_000));
        Assert.False(destination.TryCopy(source, 200_000, 0, 200_000));
        Assert.False(destination.TryCopy(new MemoryStorage(content), 0, 0, 1000));

        byte[] copied = new byte[200_000 - 100_000];
        destination.ReadExactly(105_000, copied);
        ConversionJudge.AssertSame("copy", content.AsSpan(101_000, copied.Length), copied);
    }

    /// <summary>What must be looked at is read, and shared all the same.</summary>
    [SharingFileSystemTheory]
    [InlineData("xfs")]
    public void Overlay_and_parts_of_a_disk_share_what_they_need(string kind)
    {
        using var volume = LoopFileSystem.Sharing(kind);
        byte[] content = new byte[Size & -65_536];
        new Random(5).NextBytes(content);
        string below = volume.File("base.raw");
        File.WriteAllBytes(below, content);
        new Random(6).NextBytes(content.AsSpan(2 << 20, 6 << 20));
        content.AsSpan(4 << 20, 1 << 20).Clear();
        string raw = volume.File("source.raw");
        File.WriteAllBytes(raw, content);
        using RawDisk source = RawDisk.Open(raw);
        string over = volume.File("over.qcow2");

        long before = volume.UsedBytes;
        ConversionResult result = DiskConverter.ConvertToQcow2(source, over, new Qcow2CreateOptions { BackingFile = "base.raw", BackingFormat = "raw" });

        Assert.Equal(5 << 20, result.SharedBytes); // Not the zeros.
        Assert.True(volume.UsedBytes - before < MostNewBytes);
        ConversionJudge.AssertImage("overlay", content, over, asksQemu: false);

        string part = volume.File("part.qcow2");
        result = DiskConverter.ConvertToQcow2(source, part, options: new ConversionOptions { OnlyWithin = [new DiskRange(3 << 20, 3 << 20)] });

        Assert.Equal(2 << 20, result.SharedBytes);
        using Qcow2Image image = Qcow2Image.Open(part);
        byte[] read = DiskModel.ReadAll(image);
        ConversionJudge.AssertSame("part", content.AsSpan(3 << 20, 3 << 20), read.AsSpan(3 << 20, 3 << 20));
    }

    /// <summary>Files of two file systems, a file system without reflinks, and a device share nothing; the copy is the same.</summary>
    [SharingFileSystemTheory]
    [InlineData("xfs")]
    public void What_the_host_refuses_is_copied(string kind)
    {
        using var volume = LoopFileSystem.Sharing(kind);
        using var other = LoopFileSystem.Plain();
        byte[] content = new byte[Size & -4096];
        new Random(3).NextBytes(content);
        File.WriteAllBytes(volume.File("source.raw"), content);
        File.WriteAllBytes(other.File("source.raw"), content);
        foreach ((string from, string to) in new[]
            {
                (volume.File("source.raw"), other.File("copy.raw")),
                (other.File("source.raw"), other.File("other.raw")),
                (other.File("source.raw"), volume.File("copy.raw")),
            })
        {
            using RawDisk source = RawDisk.Open(from);

            ConversionResult result = DiskConverter.ConvertToRaw(source, to);

            Assert.Equal(0, result.SharedBytes);
            Assert.NotNull(result.SharingRefusal);
            ConversionJudge.AssertSame($"{from} to {to}", content, File.ReadAllBytes(to));
        }

        File.WriteAllBytes(volume.File("device.bin"), new byte[content.Length]);
        string device = Shell.Run("losetup", "--find", "--show", volume.File("device.bin"));
        try
        {
            using RawDisk source = RawDisk.Open(volume.File("source.raw"));
            using RawDisk into = RawDisk.Open(device, new Qcow2OpenOptions { Writable = true });
            Assert.Equal(0, DiskConverter.ConvertInto(source, into).SharedBytes);
            ConversionJudge.AssertSame("device", content, DiskModel.ReadAll(into));
        }
        finally
        {
            Shell.Run("losetup", "--detach", device);
        }
    }

    private static string FormatOf(string path) => System.IO.Path.GetExtension(path) switch
    {
        ".raw" => "raw",
        ".vhd" => "vpc",
        string extension => extension.Substring(1),
    };

    private sealed class Stopping(CancellationTokenSource stop) : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value) => stop.Cancel();
    }
}

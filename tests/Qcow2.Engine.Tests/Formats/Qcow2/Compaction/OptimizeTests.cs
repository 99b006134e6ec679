using System.Security.Cryptography;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Compaction;

public sealed class OptimizeTests : IDisposable
{
    private const int Cluster = 65_536;

    private readonly TempFolder _folder = new();

    /// <summary>Every image whose disk can be read, but for those that are refused.</summary>
    public static TheoryData<string> Optimizable => Fixtures.Select(fixture
        => fixture.Error is null && fixture.ReferenceError is null && fixture.DiskSha256 is not null && WhyRefused(fixture) is null);

    public static TheoryData<string> Refused => Fixtures.Select(fixture
        => fixture.Error is null && fixture.ReferenceError is null && fixture.DiskSha256 is not null && WhyRefused(fixture) is not null);

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Optimizable))]
    public void Keeps_all_that_an_image_is(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        string path = fixture.CopyTo(_folder);
        Qcow2ImageInfo before = Qcow2ImageInfo.Read(path);
        foreach (bool compress in (bool[])[false, fixture.Passphrase is null])
        {
            Optimize(path, fixture, compress);
            Qcow2ImageInfo after = Qcow2ImageInfo.Read(path);
            Assert.Equal(Describe(before), Describe(after));
            AssertSameDisks(fixture, path);
            (int corruptions, int leaks, string output) = QemuJudge.Check(path, fixture.Passphrase);
            Assert.True(corruptions == 0 && leaks == 0, output);
            Assert.True(Qcow2Checker.Check(path).IsHealthy);
        }
    }

    [Theory, MemberData(nameof(Refused))]
    public void Refuses_what_it_would_not_keep_and_leaves_it_alone(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        string path = fixture.CopyTo(_folder);
        byte[] before = File.ReadAllBytes(path);
        Exception refusal = Assert.ThrowsAny<Exception>(() => Optimize(path, fixture, compress: false));
        Assert.True(refusal is NotSupportedException or Qcow2Exception, refusal.ToString());
        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.DoesNotContain(Directory.GetFiles(_folder.Path), file => file.EndsWith(".tmp", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(2, 512, false, false)]
    [InlineData(3, 4096, false, false)]
    [InlineData(3, 16_384, true, false)]
    [InlineData(3, 4096, false, true)]
    [InlineData(3, 16_384, true, true)]
    [InlineData(2, 4096, false, true)]
    public void Random_images_with_snapshots_keep_every_disk(int version, int clusterSize, bool extendedL2, bool hasBacking)
    {
        string name = $"optimize v{version} {clusterSize} {extendedL2} {hasBacking}";
        for (int round = 0; round < TestRounds.Times(3); round++)
        {
            int seed = TestRounds.Seed($"{name} {round}");
            var random = new Random(seed);
            string path = MakeRandom(random, version, clusterSize, extendedL2, hasBacking);
            List<string> before = Hashes(path);
            ImageOptimizer.Optimize(path, new ImageOptimizeOptions { Compress = random.Next(2) == 0, ThrottleLimit = random.Next(1, 5), ReplacesAlways = true });
            Assert.True(before.SequenceEqual(Hashes(path)), $"{name}, QCOW2_TEST_SEED={seed}");
            (int corruptions, int leaks, string output) = QemuJudge.Check(path);
            Assert.True(corruptions == 0 && leaks == 0, $"{output} {name}, QCOW2_TEST_SEED={seed}");
            File.Delete(path);
        }
    }

    [Fact]
    public void Gives_back_what_nothing_needs_and_shares_again_what_was_shared()
    {
        string path = Make("image.qcow2", image =>
        {
            image.Write(0, Filled(40 * Cluster, 1));
            image.CreateSnapshot("one");
            image.Write(40 * Cluster, Filled(20 * Cluster, 2));
            image.Write(0, new byte[10 * Cluster]);
            image.CreateSnapshot("two");
            image.Write(60 * Cluster, Filled(30 * Cluster, 3));
            image.Discard(60 * Cluster, 25 * Cluster);
        });

        Qcow2OptimizeResult result = ImageOptimizer.Optimize(path);

        // 65 clusters of data; header, refcounts, snapshots and tables take some more.
        Assert.True(result.IsReplaced);
        Assert.InRange(result.AllocatedSize, 65 * Cluster, 80 * Cluster);
        Assert.Equal(result.AllocatedSizeBefore - result.AllocatedSize, result.SavedBytes);
        Assert.True(result.SavedBytes >= 10 * Cluster);
        Assert.Equal(new FileInfo(path).Length, result.FileSize);
    }

    [Fact]
    public void Leaves_an_image_alone_that_would_not_get_smaller()
    {
        string path = Make("image.qcow2", image => image.Write(0, Random(8 * Cluster)));
        ImageOptimizer.Optimize(path, new ImageOptimizeOptions { ReplacesAlways = true });
        byte[] before = File.ReadAllBytes(path);
        DateTime time = File.GetLastWriteTimeUtc(path);
        Qcow2OptimizeResult result = ImageOptimizer.Optimize(path);
        Assert.Equal((false, 0L, result.AllocatedSizeBefore), (result.IsReplaced, result.SavedBytes, result.AllocatedSize));
        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.Equal(time, File.GetLastWriteTimeUtc(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Clusters_that_were_compressed_stay_so_and_others_do_not_become_so()
    {
        string path = Make("image.qcow2", image =>
        {
            image.WriteCompressed(0, Filled(Cluster, 1));
            image.Write(Cluster, Filled(Cluster, 2));
            image.WriteCompressed(2 * Cluster, Filled(Cluster, 3));
        });
        ImageOptimizer.Optimize(path, new ImageOptimizeOptions { ReplacesAlways = true });
        using Qcow2Image optimized = Qcow2Image.Open(path);
        Assert.Equal([true, false, true], optimized.GetExtents().Where(extent => extent.Kind == ExtentKind.Data).Select(extent => extent.IsCompressed));
    }

    [Fact]
    public void An_overlay_loses_what_its_backing_file_has_anyway()
    {
        Make("base.qcow2", image => image.Write(0, Filled(4 * Cluster, 1)));
        string path = Make(
            "top.qcow2",
            image =>
            {
                image.Write(0, Filled(2 * Cluster, 1));
                image.Write(2 * Cluster, Filled(Cluster, 9));
                image.WriteZeroes(3 * Cluster, Cluster);
            },
            new Qcow2CreateOptions { BackingFile = "base.qcow2", BackingFormat = "qcow2" });
        ImageOptimizer.Optimize(path, new ImageOptimizeOptions { ReplacesAlways = true });
        using Qcow2Image optimized = Qcow2Image.Open(path);
        DiskExtent[] own = [.. optimized.GetExtents().Where(extent => extent.Depth == 0 && extent.Kind != ExtentKind.Unallocated)];
        Assert.Equal([(2L * Cluster, ExtentKind.Data), (3L * Cluster, ExtentKind.Zero)], own.Select(extent => (extent.Offset, extent.Kind)));
        Assert.Equal("base.qcow2", optimized.Header.BackingFile);
    }

    [Fact]
    public void An_image_in_use_is_refused()
    {
        string path = Make("image.qcow2", image => image.Write(0, Filled(Cluster, 1)));
        using Qcow2Image inUse = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true });
        Assert.Equal(Qcow2ErrorCode.ImageLocked, Assert.Throws<Qcow2Exception>(() => ImageOptimizer.Optimize(path)).Code);
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Cancelling_leaves_the_image_as_it_was_and_nothing_beside_it()
    {
        string path = Make("image.qcow2", image => image.Write(0, Random(200 * Cluster)));
        byte[] before = File.ReadAllBytes(path);
        using var cancellation = new CancellationTokenSource();
        var progress = new CancelAfterFirst(cancellation);
        Assert.ThrowsAny<OperationCanceledException>(() => ImageOptimizer.Optimize(path, new ImageOptimizeOptions { ThrottleLimit = 2 }, progress, cancellation.Token));
        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Encrypted_images_are_not_compressed()
    {
        string path = Fixtures.Get("luks").CopyTo(_folder);
        Assert.Throws<ArgumentException>(() => Optimize(path, Fixtures.Get("luks"), compress: true));
    }

    [Fact]
    public void A_link_leads_to_the_image_and_stays_a_link()
    {
        if (OperatingSystem.IsWindows())
        {
            return; // Symbolic links need a privilege on Windows.
        }

        string path = Make("image.qcow2", image => image.WriteZeroes(0, Cluster, keepAllocation: true));
        string link = _folder.File("link.qcow2");
        File.CreateSymbolicLink(link, path);
        Qcow2OptimizeResult result = ImageOptimizer.Optimize(link, new ImageOptimizeOptions { ReplacesAlways = true });
        Assert.Equal(path, result.Path);
        Assert.Equal(path, new FileInfo(link).LinkTarget);
    }

    [Fact]
    public void Who_may_read_the_image_does_not_change()
    {
        if (OperatingSystem.IsWindows())
        {
            return; // Windows files inherit who may read them from their folder.
        }

        string path = Make("image.qcow2", image => image.Write(0, Filled(Cluster, 1)));
        const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
        File.SetUnixFileMode(path, Private);
        ImageOptimizer.Optimize(path, new ImageOptimizeOptions { ReplacesAlways = true });
        Assert.Equal(Private, File.GetUnixFileMode(path));
    }

    private static string? WhyRefused(Fixture fixture)
    {
        Qcow2ImageInfo info = Qcow2ImageInfo.Read(fixture.Path);
        return info.DataFile is not null || info.Header!.Has(IncompatibleFeatures.ExternalDataFile) ? "data file"
            : info.EncryptionMethod == EncryptionMethod.Aes ? "legacy"
            : info.IsCorrupt == true ? "corrupt"
            : info.Snapshots.Any(snapshot => snapshot.VmStateSize > 0) ? "VM state"
            : info.Bitmaps.Any(bitmap => bitmap.IsInUse) ? "broken bitmap"
            : null;
    }

    private static void Optimize(string path, Fixture fixture, bool compress)
    {
        using Passphrase? key = fixture.Passphrase is null ? null : Passphrase.FromString(fixture.Passphrase);
        ImageOptimizer.Optimize(path, new ImageOptimizeOptions { Compress = compress, ReplacesAlways = true, Open = new Qcow2OpenOptions { Passphrase = key } });
    }

    private static void AssertSameDisks(Fixture fixture, string path)
    {
        foreach (string? passphrase in fixture.Passphrases.Count == 0 ? [null] : fixture.Passphrases.Cast<string?>())
        {
            using Passphrase? key = passphrase is null ? null : Passphrase.FromString(passphrase);
            using Qcow2Image image = Qcow2Image.Open(path, new Qcow2OpenOptions { Passphrase = key });
            Assert.Equal(fixture.DiskSha256, Hash(image));
            foreach (KeyValuePair<string, string> snapshot in fixture.SnapshotSha256)
            {
                using VirtualDisk disk = image.OpenSnapshot(image.FindSnapshot(snapshot.Key));
                Assert.Equal(snapshot.Value, Hash(disk));
            }
        }
    }

    /// <summary>What must be as it was, as text.</summary>
    private static string Describe(Qcow2ImageInfo info) => string.Join('\n',
    [
        $"{info.Version} {info.Size} {info.ClusterSize} {info.BackingFile} {info.BackingFormat} {info.CompressionType} {info.EncryptionMethod} {info.RefcountBits} {info.IsExtendedL2}",
        $"{info.Header!.CompatibleFeatures} {info.Header.HeaderLength}",
        .. info.Header.Extensions.Where(extension => extension is not BitmapsExtension || info.Bitmaps.Length > 0).Select(extension => $"{extension.Type:x} {extension.TotalLength}"),
        .. info.Bitmaps.Select(one => $"{one.Name} {one.Granularity} {one.IsEnabled}"),
        .. info.Snapshots.Select(one => $"{one.Id} {one.Name} {one.CreationTime:O} {one.DiskSize} {one.VmClock} {one.InstructionCount}"),
    ]);

    private static string Hash(VirtualDisk disk)
    {
        using Stream stream = disk.AsStream();
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    private static List<string> Hashes(string path)
    {
        using Qcow2Image image = Qcow2Image.Open(path);
        return [.. image.Snapshots.Select(snapshot =>
        {
            using VirtualDisk disk = image.OpenSnapshot(snapshot);
            return $"{snapshot.Id} {snapshot.Name} {disk.Length} {Hash(disk)}";
        }), $"{image.Length} {Hash(image)}"];
    }

    private static byte[] Filled(int length, byte value)
    {
        byte[] data = new byte[length];
        Array.Fill(data, value);
        return data;
    }

    private static byte[] Random(int length)
    {
        byte[] data = new byte[length];
        new Random(1).NextBytes(data);
        return data;
    }

    private string Make(string name, Action<Qcow2Image> write, Qcow2CreateOptions? options = null)
    {
        string path = _folder.File(name);
        using Qcow2Image image = Qcow2Image.Create(path, 256 * Cluster, options);
        write(image);
        return path;
    }

    private string MakeRandom(Random random, int version, int clusterSize, bool extendedL2, bool hasBacking)
    {
        int size = 64 * clusterSize + (random.Next(8) * 512);
        if (hasBacking)
        {
            byte[] below = new byte[size - (random.Next(2) * 4096)];
            random.NextBytes(below);
            below.AsSpan(0, below.Length / 2).Clear();
            _folder.Write("base.raw", below);
        }

        string path = _folder.File("random.qcow2");
        using Qcow2Image image = Qcow2Image.Create(path, size, new Qcow2CreateOptions
        {
            Version = version,
            ClusterSize = clusterSize,
            ExtendedL2 = extendedL2,
            BackingFile = hasBacking ? "base.raw" : null,
            BackingFormat = hasBacking ? "raw" : null,
        });
        for (int snapshot = 0; snapshot <= 4; snapshot++)
        {
            for (int i = 0; i < 30; i++)
            {
                Change(image, random, clusterSize);
            }

            if (snapshot < 4)
            {
                image.CreateSnapshot($"s{snapshot}");
            }

            if (random.Next(3) == 0 && version == 3)
            {
                image.Resize(size + (random.Next(-20, 20) * clusterSize), allowShrink: true);
            }
        }

        return path;
    }

    private static void Change(Qcow2Image image, Random random, int clusterSize)
    {
        int length = random.Next(1, 4 * clusterSize);
        long offset = random.NextInt64(Math.Max(1, image.Length - length));
        length = (int)Math.Min(length, image.Length - offset);
        byte[] data = new byte[length];
        switch (random.Next(6))
        {
            case 0:
                image.WriteZeroes(offset, length, keepAllocation: random.Next(2) == 0);
                break;
            case 1:
                image.Discard(offset, length);
                break;
            case 2:
                offset &= ~(clusterSize - 1L);
                data = Filled((int)Math.Min(clusterSize, image.Length - offset), (byte)random.Next(256));
                image.WriteCompressed(offset, data);
                break;
            case 3:
                image.Write(offset, data);
                break;
            default:
                random.NextBytes(data);
                image.Write(offset, data);
                break;
        }
    }

    private sealed class CancelAfterFirst(CancellationTokenSource cancellation) : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value) => cancellation.Cancel();
    }
}

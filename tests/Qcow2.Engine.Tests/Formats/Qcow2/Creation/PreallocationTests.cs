using System.Text.Json;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Creation;

/// <summary>Clusters that have their place before they are written: in new images, and in what a resize adds.</summary>
public sealed class PreallocationTests : IDisposable
{
    private const int Cluster = 65_536;
    private const int Small = 10 * Cluster;
    private const int Large = 40 * Cluster;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>As QEMU does it: a cluster has its place, and no subcluster of it anything, so that the backing file shows.</summary>
    [QemuTheory]
    [InlineData(Preallocation.Metadata)]
    [InlineData(Preallocation.Falloc)]
    [InlineData(Preallocation.Full)]
    public void Clusters_over_a_backing_file_show_it_until_they_are_written(Preallocation how)
    {
        byte[] expected = new byte[Large];
        new Random(2).NextBytes(expected);
        _folder.Write("base.raw", expected);
        Qcow2CreateOptions layout = new() { BackingFile = "base.raw", BackingFormat = "raw", ExtendedL2 = true, Preallocation = how };
        string path = _folder.File("over.qcow2");
        Qcow2Image.CreateFile(path, Large, layout);
        QemuImg.RunIn(_folder.Path, "create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "-o", $"extended_l2=on,preallocation={how.ToString().ToLowerInvariant()}", "theirs.qcow2");
        Assert.Equal(new FileInfo(_folder.File("theirs.qcow2")).Length, new FileInfo(path).Length);
        using (Qcow2Image theirs = Qcow2Image.Open(_folder.File("theirs.qcow2")), ours = Qcow2Image.Open(path))
        {
            Assert.Equal(theirs.GetExtents(), ours.GetExtents());
            Assert.Equal(expected, DiskModel.ReadAll(ours));
        }

        AssertEqual(path, expected);
        long length = new FileInfo(path).Length;
        using (var image = Qcow2Image.Open(path, new() { Writable = true }))
        {
            var random = new Random(3);
            for (int i = 0; i < 40; i++)
            {
                int offset = random.Next(Large - 5000);
                expected.AsSpan(offset, 5000).Fill((byte)i);
                if (i % 4 == 0)
                {
                    expected.AsSpan(offset, 5000).Clear();
                    image.WriteZeroes(offset, 5000, keepAllocation: true);
                }
                else
                {
                    image.Write(offset, expected.AsSpan(offset, 5000));
                }
            }
        }

        Assert.Equal(length, new FileInfo(path).Length); // Each wrote where its cluster had its place.
        AssertEqual(path, expected);

        string copy = _folder.File("copy.qcow2");
        using (var image = Qcow2Image.Open(path))
        {
            DiskConverter.Convert(image, copy, layout);
        }

        AssertEqual(copy, expected);
        Assert.Contains("extended L2", Assert.Throws<ArgumentException>(() => Qcow2Image.CreateFile(_folder.File("x.qcow2"), Large, layout with { ExtendedL2 = false })).Message, StringComparison.Ordinal);
    }

    public static TheoryData<Preallocation, string> Cases
    {
        get
        {
            var cases = new TheoryData<Preallocation, string>();
            foreach (Preallocation how in (Preallocation[])[Preallocation.Metadata, Preallocation.Falloc, Preallocation.Full])
            {
                foreach (string layout in (string[])["default", "v2", "extended-l2", "512", "data-file", "raw-data-file"])
                {
                    cases.Add(how, layout);
                }
            }

            return cases;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void What_a_resize_adds_is_allocated_and_reads_as_zeros(Preallocation how, string layout)
    {
        string path = _folder.File("disk.qcow2");
        byte[] expected = new byte[Large];
        using (Qcow2Image image = Qcow2Image.Create(path, Small, Layout(layout)))
        {
            // Clusters that were used and given back: they hold what must not show up.
            Fill(image, 0xEE, Small);
            image.Discard(0, Small);
            image.Flush();
            image.Write(3 * Cluster, expected.AsSpan(0, 100).ToArray());

            List<long> reported = [];
            image.Resize(Large, preallocation: how, progress: new Log(reported));
            Assert.Equal(Large - Small, reported[^1]);
            Assert.Equal(reported.Order(), reported);
            Assert.Equal(expected, DiskModel.ReadAll(image));
            Assert.All(image.GetExtents(Small, Large - Small), extent => Assert.NotEqual(ExtentKind.Unallocated, extent.Kind));

            image.Write(Large - 600, Enumerable.Repeat((byte)9, 600).ToArray());
            expected.AsSpan(Large - 600).Fill(9);
        }

        AssertEqual(path, expected);
        if (QemuImg.IsAvailable)
        {
            Assert.Equal(Large - Small, PresentBytes(path, Small));
        }
    }

    [Theory]
    [InlineData(Preallocation.Metadata)]
    [InlineData(Preallocation.Falloc)]
    [InlineData(Preallocation.Full)]
    public void New_disk_is_allocated_and_reads_as_zeros(Preallocation how)
    {
        string path = _folder.File("disk.qcow2");
        List<long> reported = [];
        Qcow2Image.CreateFile(path, Large + 512, new() { Preallocation = how }, progress: new Log(reported));

        Assert.Equal(Large + 512, reported[^1]);
        AssertEqual(path, new byte[Large + 512]);
        if (QemuImg.IsAvailable)
        {
            Assert.Equal(Large + 512, PresentBytes(path, 0));
        }
    }

    [Theory]
    [InlineData(Preallocation.Metadata)]
    [InlineData(Preallocation.Full)]
    public void Encrypted_disk_grows(Preallocation how)
    {
        string path = _folder.File("disk.qcow2");
        using var passphrase = Passphrase.FromString("letmein");
        var options = new Qcow2CreateOptions { Encryption = EncryptionMethod.Luks, Passphrase = passphrase, KeyDerivationTime = TimeSpan.Zero };
        using (Qcow2Image image = Qcow2Image.Create(path, Small, options))
        {
            image.Resize(Large, preallocation: how);
            Assert.Equal(new byte[Large], DiskModel.ReadAll(image));
        }

        Assert.Equal((0, 0), (QemuJudge.Check(path, "letmein").Corruptions, QemuJudge.Check(path, "letmein").Leaks));
        if (QemuJudge.Read(path, _folder, "letmein") is byte[] byQemu)
        {
            Assert.Equal(new byte[Large], byQemu);
        }

        using Qcow2Image locked = Qcow2Image.Open(path, new() { Writable = true });
        Assert.Equal(Qcow2ErrorCode.PassphraseRequired, Assert.Throws<Qcow2Exception>(() => locked.Resize(2 * Large, preallocation: how)).Code);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Longer_backing_file_stays_hidden(int version)
    {
        using (Qcow2Image backing = Qcow2Image.Create(_folder.File("base.qcow2"), Large))
        {
            Fill(backing, 0x77, Large);
        }

        string path = _folder.File("overlay.qcow2");
        byte[] expected = new byte[Large];
        expected.AsSpan(0, Small + 1024).Fill(0x77);
        using (Qcow2Image image = Qcow2Image.Create(
            path, Small + 1024, new() { BackingFile = "base.qcow2", BackingFormat = "qcow2", Version = version }))
        {
            image.Resize(Large, preallocation: Preallocation.Metadata);
        }

        AssertEqual(path, expected);
    }

    [Theory]
    [InlineData(Preallocation.Falloc)]
    [InlineData(Preallocation.Full)]
    public void Stopped_creation_leaves_nothing_and_an_old_file_as_it_was(Preallocation how)
    {
        string path = _folder.Write("disk.qcow2", [1, 2, 3]);
        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => Qcow2Image.CreateFile(
            path, 200L << 20, new() { Preallocation = how, DataFile = "data.bin" }, overwrite: true, new Stopper(stop), stop.Token));

        Assert.Equal([1, 2, 3], File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Theory]
    [InlineData(Preallocation.Metadata, 2L << 30, "512")]
    [InlineData(Preallocation.Falloc, 200L << 20, "default")]
    [InlineData(Preallocation.Full, 200L << 20, "default")]
    [InlineData(Preallocation.Full, 200L << 20, "raw-data-file")]
    public void Stopped_resize_leaves_the_old_size_and_no_leak(Preallocation how, long size, string layout)
    {
        string path = _folder.File("disk.qcow2");
        byte[] expected = new byte[Small - 5];
        using (Qcow2Image image = Qcow2Image.Create(path, expected.Length, Layout(layout)).ResizeExactly(expected.Length))
        {
            image.Write(1, new byte[] { 1, 2, 3 });
            expected[1] = 1;
            expected[2] = 2;
            expected[3] = 3;
            using var stop = new CancellationTokenSource();
            Assert.Throws<OperationCanceledException>(() => image.Resize(size, preallocation: how, progress: new Stopper(stop), cancellationToken: stop.Token));
            Assert.Equal(expected.Length, image.Length);
        }

        AssertEqual(path, expected, hasOddSize: true);

        // What was begun is no hindrance to doing it.
        using (Qcow2Image image = Qcow2Image.Open(path, new() { Writable = true }))
        {
            image.Resize(Large, preallocation: how);
        }

        Array.Resize(ref expected, Large);
        AssertEqual(path, expected);
    }

    [Fact]
    public void Zeroing_looks_at_the_token_between_megabytes()
    {
        var storage = new MemoryStorage([]);
        using Qcow2Image image = Qcow2Image.Create(storage, Small);
        using var stop = new CancellationTokenSource();
        long written = 0;
        storage.BeforeWrite = (_, length) =>
        {
            written += length;
            if (written > 4 << 20)
            {
                stop.Cancel();
            }
        };

        Assert.Throws<OperationCanceledException>(() => image.Resize(1L << 30, preallocation: Preallocation.Full, cancellationToken: stop.Token));
        storage.BeforeWrite = null;
        Assert.InRange(written, 4 << 20, 8 << 20);
    }

    [Fact]
    public void Shrinking_and_preallocating_contradict()
    {
        using Qcow2Image image = Qcow2Image.Create(_folder.File("disk.qcow2"), Large);
        Assert.Throws<ArgumentException>(() => image.Resize(Small, allowShrink: true, Preallocation.Metadata));
    }

    private static Qcow2CreateOptions Layout(string name) => name switch
    {
        "v2" => new() { Version = 2 },
        "extended-l2" => new() { ExtendedL2 = true },
        "512" => new() { ClusterSize = 512, RefcountBits = 1 },
        "data-file" => new() { DataFile = "data.bin" },
        "raw-data-file" => new() { DataFile = "data.bin", DataFileRaw = true },
        _ => new(),
    };

    private static void Fill(Qcow2Image image, byte value, int length) => image.Write(0, Enumerable.Repeat(value, length).ToArray());

    private void AssertEqual(string path, byte[] expected, bool hasOddSize = false)
    {
        using (Qcow2Image image = Qcow2Image.Open(path))
        {
            Assert.Equal(expected, DiskModel.ReadAll(image));
        }

        (int corruptions, int leaks, string output) = QemuJudge.Check(path);
        Assert.True(corruptions == 0 && leaks == 0, output);
        if (!hasOddSize && QemuJudge.Read(path, _folder) is byte[] byQemu)
        {
            Assert.Equal(expected, byQemu);
        }
    }

    private long PresentBytes(string path, long from)
    {
        using var map = JsonDocument.Parse(QemuImg.RunIn(_folder.Path, "map", "--output=json", $"--start-offset={from}", path));
        return map.RootElement.EnumerateArray()
            .Where(extent => extent.GetProperty("present").GetBoolean())
            .Sum(extent => extent.GetProperty("length").GetInt64());
    }

    private sealed class Log(List<long> reported) : IProgress<long>
    {
        public void Report(long value) => reported.Add(value);
    }

    private sealed class Stopper(CancellationTokenSource stop) : IProgress<long>
    {
        public void Report(long value) => stop.Cancel();
    }
}

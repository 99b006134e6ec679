using System.Globalization;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Bitmaps;

/// <summary>Creating, removing, clearing, enabling, disabling and merging bitmaps.</summary>
public sealed class BitmapEditTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [QemuTheory]
    [InlineData("cluster_size=65536")]
    [InlineData("cluster_size=512")]
    [InlineData("cluster_size=4096,extended_l2=off,lazy_refcounts=on")]
    [InlineData("cluster_size=65536,extended_l2=on")]
    [InlineData("cluster_size=65536,data_file=data.raw")]
    [InlineData("cluster_size=4096,backing_fmt=raw,backing_file=base.raw")]
    public void Same_commands_as_qemu_img_give_the_same_bitmaps(string layout)
    {
        int seed = TestRounds.Seed(layout);
        var random = new Random(seed);
        string ours = Make("ours", layout);
        string theirs = Make("theirs", layout);
        for (int step = TestRounds.Times(25); step > 0; step--)
        {
            List<string> names = [.. BitmapReader.ReadFile(ours).Keys];
            string name = names.Count == 0 || random.Next(5) == 0 ? "new" + step : names[random.Next(names.Count)];
            string other = names.Count == 0 ? "none" : names[random.Next(names.Count)];
            long granularity = 512L << random.Next(12);
            bool enabled = random.Next(3) > 0;
            (string[] command, Action<Qcow2Image> act) = random.Next(9) switch
            {
                0 or 1 => (
                    (string[])["bitmap", "--add", enabled ? "--enable" : "--disable", "-g", granularity.ToString(CultureInfo.InvariantCulture), theirs, name],
                    (Action<Qcow2Image>)(image => image.CreateBitmap(name, granularity, enabled))),
                2 => (["bitmap", "--remove", theirs, name], image => image.RemoveBitmap(name)),
                3 => (["bitmap", "--clear", theirs, name], image => image.ClearBitmap(name)),
                4 => (["bitmap", "--enable", theirs, name], image => image.EnableBitmap(name)),
                5 => (["bitmap", "--disable", theirs, name], image => image.DisableBitmap(name)),
                6 => (["bitmap", "--merge", other, theirs, name], image => image.MergeBitmap(other, name)),
                _ => (["write", "-P", "5", random.Next(2_000_000).ToString(CultureInfo.InvariantCulture), random.Next(1, 90_000).ToString(CultureInfo.InvariantCulture)], null!),
            };
            string label = $"{layout}, QCOW2_TEST_SEED={seed}, step {step}: {string.Join(' ', command)}";
            string folder = Path.GetDirectoryName(theirs)!;
            bool isWrite = command[0] == "write";
            ProgramResult result = isWrite
                ? QemuImg.TryRunIoIn(folder, "-f", "qcow2", "-c", string.Join(' ', command), theirs)
                : QemuImg.TryRunIn(folder, command);
            Exception? error = Record.Exception(() =>
            {
                using Qcow2Image image = Qcow2Image.Open(ours, new Qcow2OpenOptions { Writable = true });
                if (isWrite)
                {
                    byte[] data = new byte[int.Parse(command[4], CultureInfo.InvariantCulture)];
                    Array.Fill(data, (byte)5);
                    image.Write(int.Parse(command[3], CultureInfo.InvariantCulture), data);
                }
                else
                {
                    act(image);
                }
            });

            // Disabling what is disabled is an error of neither.
            Assert.True((result.ExitCode == 0) == (error is null), $"{label}: {result.Error} but {error}");
            AssertSame(ours, theirs, label);
        }
    }

    [Fact]
    public void Bitmaps_change_while_the_disk_is_written()
    {
        var storage = new MemoryStorage([]);
        Qcow2Image.Create(storage, 1 << 20, new Qcow2CreateOptions { ClusterSize = 4096 }).Dispose();
        using (Qcow2Image image = Open(storage))
        {
            image.Write(0, [1]);
            image.CreateBitmap("a");
            image.CreateBitmap("b", 512, enabled: false);
            image.Write(8192, [1]);
            image.EnableBitmap("b");
            image.Write(20_480, [1]);
            image.DisableBitmap("a");
            image.Write(40_960, [1]);
            image.CreateBitmap("c", 1024);
            image.MergeBitmap("b", "c");
            image.ClearBitmap("b");
            image.Write(81_920, [1]);
            image.RemoveBitmap("a");
            image.CreateBitmap("a", 1 << 20);
            Assert.Equal([("b", BitmapFlags.Auto), ("c", BitmapFlags.Auto), ("a", BitmapFlags.Auto)], image.Bitmaps.Select(bitmap => (bitmap.Name, bitmap.Flags)));
            Assert.True(image.Header.Has(AutoclearFeatures.Bitmaps));
            Assert.Equal(3u, image.Header.Extension<BitmapsExtension>()!.BitmapCount);
        }

        AssertClean(storage);
        Dictionary<string, BitmapOnDisk> bitmaps = BitmapReader.Read(storage.Content);
        Assert.Empty(bitmaps["a"].Dirty);
        Assert.Equal([160], bitmaps["b"].Dirty);
        Assert.Equal([20, 40, 80], bitmaps["c"].Dirty);
        Assert.All(bitmaps.Values, bitmap => Assert.Equal(BitmapOnDisk.Auto, bitmap.Flags));
    }

    [Fact]
    public void Last_bitmap_takes_the_extension_with_it_and_every_cluster()
    {
        var storage = new MemoryStorage([]);
        Qcow2Image.Create(storage, 1 << 20, new Qcow2CreateOptions { ClusterSize = 512 }).Dispose();
        byte[] before = storage.Content.AsSpan(0, 512).ToArray();
        using (Qcow2Image image = Open(storage))
        {
            image.CreateBitmap("a", 512);
            image.Write(0, new byte[100_000]);
        }

        using (Qcow2Image image = Open(storage))
        {
            image.RemoveBitmap("a");
            Assert.Empty(image.Bitmaps);
            Assert.Null(image.Header.Extension<BitmapsExtension>());
        }

        AssertClean(storage);
        Assert.Equal(before.AsSpan(0, HeaderField.RefcountTableOffset).ToArray(), storage.Content.AsSpan(0, HeaderField.RefcountTableOffset).ToArray());
        Assert.Empty(BitmapReader.Read(storage.Content));
    }

    [Fact]
    public void Bitmap_that_was_never_saved_can_only_be_removed()
    {
        BuiltImage built = new ImageBuilder { Size = 1 << 20, Bitmaps = [new BuilderBitmap("lost", 9, 3), new BuilderBitmap("good", 9)] }.Build();
        var storage = new MemoryStorage(built.Bytes);
        using (Qcow2Image image = Open(storage))
        {
            foreach (Action act in (Action[])[
                () => image.ClearBitmap("lost"), () => image.EnableBitmap("lost"), () => image.DisableBitmap("lost"),
                () => image.MergeBitmap("lost", "good"), () => image.MergeBitmap("good", "lost")])
            {
                Assert.Equal(Qcow2ErrorCode.BitmapInconsistent, Assert.Throws<Qcow2Exception>(act).Code);
            }

            image.RemoveBitmap("lost");
            Assert.Equal(Qcow2ErrorCode.BitmapNotFound, Assert.Throws<Qcow2Exception>(() => image.RemoveBitmap("lost")).Code);
            Assert.Equal(Qcow2ErrorCode.BitmapExists, Assert.Throws<Qcow2Exception>(() => image.CreateBitmap("good")).Code);
        }

        AssertClean(storage);
        Assert.Equal(["good"], BitmapReader.Read(storage.Content).Keys);
    }

    [Fact]
    public void Bitmap_that_the_format_cannot_hold_is_refused()
    {
        var storage = new MemoryStorage([]);
        using (Qcow2Image image = Qcow2Image.Create(storage, 1L << 40))
        {
            byte[] before = [.. storage.Content];
            Assert.Throws<ArgumentException>(() => image.CreateBitmap(""));
            Assert.Throws<ArgumentException>(() => image.CreateBitmap(new string('n', 1024)));
            Assert.All((long[])[0, 256, 1000, 1L << 32], granularity => Assert.Throws<ArgumentException>(() => image.CreateBitmap("n", granularity)));
            image.Resize(1L << 45);
            Assert.Equal(Qcow2ErrorCode.LimitExceeded, Assert.Throws<Qcow2Exception>(() => image.CreateBitmap("n", 512)).Code);
            image.CreateBitmap(new string('n', 1023), 1L << 31);
        }

        AssertClean(storage);
        Assert.Single(BitmapReader.Read(storage.Content));

        storage = new MemoryStorage([]);
        using Qcow2Image old = Qcow2Image.Create(storage, 1 << 20, new Qcow2CreateOptions { Version = 2 });
        Assert.Equal(Qcow2ErrorCode.UnsupportedFeature, Assert.Throws<Qcow2Exception>(() => old.CreateBitmap("n")).Code);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("name")]
    [InlineData("split")]
    [InlineData("faulty:split")]
    [InlineData("faulty:name")]
    public void Crash_while_bitmaps_come_and_go_leaves_at_most_leaks(string name)
    {
        // "split": the extension's pointer lies in two sectors.
        string layout = name.Split(':')[^1];
        int seed = TestRounds.Seed(name);
        var random = new Random(seed);
        byte[] start = new ImageBuilder
        {
            ClusterBits = 12,
            Size = 200_000,
            BackingName = layout == "name" ? "base.raw" : null,
            BackingFormat = layout == "name" ? "raw" : null,
            Extensions = layout == "split" ? [(0x12345678, new byte[512 - 112 - 8 - 24])] : [],
        }.Build().Bytes;
        _folder.Write("base.raw", new byte[512]);
        string path = _folder.File("image.qcow2");
        byte[] content;
        using (Qcow2Image image = Qcow2Image.Open(new MemoryStorage([.. start], path)))
        {
            content = new byte[4096];
            image.Read(0, content);
        }

        var storage = new MemoryStorage([.. start], path);
        var log = new WriteLog(storage);
        for (int round = TestRounds.Times(4); round > 0; round--)
        {
            if (name.StartsWith("faulty", StringComparison.Ordinal))
            {
                log.FailAtRandom(storage, random);
            }

            Qcow2Image image = Open(storage);
            for (int i = 0; i < 8; i++)
            {
                string bitmap = ((char)('a' + random.Next(4))).ToString();
                Action act = random.Next(6) switch
                {
                    0 or 1 => () => image.CreateBitmap(bitmap, 512, random.Next(2) == 0),
                    2 => () => image.RemoveBitmap(bitmap),
                    3 => () => image.ClearBitmap(bitmap),
                    4 => () => image.EnableBitmap(bitmap),
                    _ => () => image.Write(8192 + random.Next(2000), [7, 8, 9]),
                };
                Exception? error = Record.Exception(act);
                Assert.True(error is null or IOException, error?.ToString());
            }

            if (random.Next(3) > 0)
            {
                log.FailNoMore();
            }

            Assert.True(Record.Exception(image.Dispose) is null or IOException);
            log.FailNoMore();
        }

        int tried = 0;
        foreach ((int at, byte[] file) in log.Crashes(random, 4))
        {
            tried++;
            string label = $"{name}, QCOW2_TEST_SEED={seed}, crash {tried} after write {at} of {log.Count}";
            ImageAuditor audit = ImageAuditor.Audit(file);
            Assert.True(audit.Corruptions.Count == 0, $"{label}: {string.Join('\n', audit.Corruptions.Take(5))}");
            using Qcow2Image image = Qcow2Image.Open(new MemoryStorage(file, path));
            Assert.Equal(layout == "name" ? "base.raw" : null, image.Header.BackingFile);
            byte[] read = new byte[content.Length];
            image.Read(0, read);
            Assert.Equal(content, read);
            Assert.All(image.Bitmaps, bitmap => Assert.Equal(391, BitmapReader.Read(file)[bitmap.Name].Bits.Length));
        }

        Assert.True(tried > 100);
    }

    private static Qcow2Image Open(MemoryStorage storage) => Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true });

    private static void AssertClean(MemoryStorage storage)
    {
        ImageAuditor audit = ImageAuditor.Audit(storage.Content);
        Assert.True(audit.Corruptions.Count == 0 && audit.Leaks == 0, $"{audit.Leaks} leaks. {string.Join('\n', audit.Corruptions.Take(5))}");
    }

    private static void AssertSame(string ours, string theirs, string label)
    {
        Dictionary<string, BitmapOnDisk> expected = BitmapReader.ReadFile(theirs);
        Dictionary<string, BitmapOnDisk> actual = BitmapReader.ReadFile(ours);
        Assert.True(expected.Keys.Order(StringComparer.Ordinal).SequenceEqual(actual.Keys.Order(StringComparer.Ordinal)), label);
        foreach ((string name, BitmapOnDisk bitmap) in expected)
        {
            Assert.True(bitmap.Flags == actual[name].Flags, $"{label}: bitmap {name} has the flags {actual[name].Flags}.");
            Assert.True(bitmap.GranularityBits == actual[name].GranularityBits && bitmap.Dirty.SequenceEqual(actual[name].Dirty), $"{label}: bitmap {name} has other bits.");
        }

        (int corruptions, int leaks, string said) = QemuJudge.Check(ours);
        Assert.True(corruptions == 0 && leaks == 0, $"{label}: {said}");
    }

    private string Make(string name, string layout)
    {
        string path = _folder.File(Path.Combine(name, "image.qcow2"));
        _folder.Write(Path.Combine(name, "base.raw"), new byte[100_000]);
        QemuImg.RunIn(Path.GetDirectoryName(path)!, "create", "-q", "-f", "qcow2", "-o", layout, path, "3M");
        return path;
    }
}

using System.Globalization;
using System.Text.Json;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Bitmaps;

/// <summary>Bitmaps that are copied are those that <c>qemu-img convert --bitmaps</c> copies.</summary>
public sealed class BitmapCopierTests : IDisposable
{
    private const int Size = 3 << 20;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [QemuTheory]
    [InlineData("cluster_size=65536", "cluster_size=65536")]
    [InlineData("cluster_size=512", "cluster_size=65536")]
    [InlineData("cluster_size=65536", "cluster_size=512")]
    [InlineData("cluster_size=4096", "cluster_size=2M,refcount_bits=1")]
    [InlineData("cluster_size=2M", "cluster_size=16384,extended_l2=on")]
    [InlineData("cluster_size=65536,data_file=data.raw", "cluster_size=4096,refcount_bits=64")]
    public void Copies_are_qemus(string from, string to)
    {
        int seed = TestRounds.Seed(from + to);
        var random = new Random(seed);
        for (int round = TestRounds.Times(1); round > 0; round--)
        {
            string source = MakeSource(from, random);
            string theirs = _folder.File("theirs.qcow2");
            QemuImg.RunIn(_folder.Path, "convert", "--bitmaps", "-O", "qcow2", "-o", to, source, theirs);
            string ours = _folder.File("ours.qcow2");
            QemuImg.RunIn(_folder.Path, "create", "-q", "-f", "qcow2", "-o", to, ours, $"{Size}");
            using (Qcow2Image image = Qcow2Image.Open(source))
            using (Qcow2Image copy = OpenForWriting(ours))
            {
                Assert.Empty(BitmapCopier.Copy(image, copy));
                Assert.Equal(image.Bitmaps.Select(bitmap => bitmap.Name), copy.Bitmaps.Select(bitmap => bitmap.Name));
            }

            // What QEMU makes of ours is what it makes of the source.
            string again = _folder.File("again.qcow2");
            QemuImg.Run("convert", "--bitmaps", "-O", "qcow2", "-o", to, ours, again);
            Dictionary<string, BitmapOnDisk> expected = BitmapReader.ReadFile(theirs);
            foreach (string path in (string[])[ours, again])
            {
                Dictionary<string, BitmapOnDisk> actual = BitmapReader.ReadFile(path);
                Assert.Equal(expected.Keys, actual.Keys);
                Assert.All(expected, pair => AssertSame(pair.Value, actual[pair.Key], $"{pair.Key}, QCOW2_TEST_SEED={seed}"));
            }

            Assert.Equal(Listed(theirs), Listed(ours));
            (int corruptions, int leaks, string said) = QemuJudge.Check(ours);
            Assert.True(corruptions == 0 && leaks == 0, said);
        }
    }

    [Fact]
    public void Bitmaps_of_a_disk_that_ends_inside_a_sector_are_copied()
    {
        string path = _folder.File("odd.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(path, 1_000_001))
        {
            image.CreateBitmap("changes");
            image.Write(70_000, [7]);
        }

        using Qcow2Image source = Qcow2Image.Open(path);
        string copied = _folder.File("copy.qcow2");
        DiskConverter.ConvertToQcow2(source, copied, options: new ConversionOptions { CopyBitmaps = true });
        using Qcow2Image copy = Qcow2Image.Open(copied);
        Assert.Equal(["changes"], copy.Bitmaps.Select(bitmap => bitmap.Name));
    }

    [Fact]
    public void Bitmap_that_cannot_be_copied_is_found_before_the_data_is_copied()
    {
        string path = _folder.File("old.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(path, 4 << 20))
        {
            image.Write(0, new byte[] { 1 });
            image.CreateBitmap("changes");
        }

        var progress = new Reports();
        using Qcow2Image source = Qcow2Image.Open(path);
        Assert.Throws<ArgumentException>(() => DiskConverter.ConvertToQcow2(
            source, _folder.File("v2.qcow2"), new Qcow2CreateOptions { Version = 2 }, options: new ConversionOptions { CopyBitmaps = true }, progress: progress));
        using Qcow2Image unsaved = Fixtures.Get("bitmaps-in-use").Open();
        var error = Assert.Throws<Qcow2Exception>(() => DiskConverter.ConvertToQcow2(
            unsaved, _folder.File("copy.qcow2"), options: new ConversionOptions { CopyBitmaps = true }, progress: progress));
        Assert.Equal((Qcow2ErrorCode.BitmapInconsistent, 0), (error.Code, progress.Count));
    }

    [Theory]
    [InlineData("bitmaps", 512)]
    [InlineData("bitmaps", 2 << 20)]
    [InlineData("bitmaps-all-ones", 512)]
    [InlineData("bitmaps-all-ones", 4096)]
    public void Fixtures_keep_every_bit(string name, int clusterSize)
    {
        Fixture fixture = Fixtures.Get(name);
        using Qcow2Image source = fixture.Open();
        var storage = new MemoryStorage([]);
        Copy(source, storage, clusterSize);

        Dictionary<string, BitmapOnDisk> copies = BitmapReader.Read(storage.Content);
        Assert.Equal(source.Bitmaps.Select(bitmap => (bitmap.Name, (uint)bitmap.Flags, bitmap.GranularityBits)),
            copies.Values.Select(bitmap => (bitmap.Name, bitmap.Flags, bitmap.GranularityBits)));
        foreach (BitmapOnDisk copy in copies.Values)
        {
            using JsonDocument expected = fixture.ReadBitmap(copy.Name);
            foreach (JsonElement range in expected.RootElement.EnumerateArray())
            {
                long start = range.GetProperty("start").GetInt64();
                long end = start + range.GetProperty("length").GetInt64();
                bool isDirty = range.GetProperty("dirty").GetBoolean();
                for (long at = start; at < end; at += 512)
                {
                    Assert.True(copy.Bits[at >> copy.GranularityBits] == isDirty, $"{copy.Name} at {at}");
                }
            }
        }
    }

    [Fact]
    public void Whole_clusters_of_ones_take_no_space()
    {
        var from = new MemoryStorage([]);
        using (Qcow2Image image = Qcow2Image.Create(from, 8 << 20, new Qcow2CreateOptions { ClusterSize = 4096 }))
        {
            image.CreateBitmap("all", 512);
            image.Discard(0, image.Length);
            image.WriteZeroes(0, image.Length);
        }

        using Qcow2Image source = Qcow2Image.Open(new MemoryStorage(from.Content));
        var storage = new MemoryStorage([]);
        Copy(source, storage, 512);
        Assert.Equal([1, 1, 1, 1], BitmapReader.Read(storage.Content)["all"].Table);
    }

    [Fact]
    public void A_bitmap_that_was_never_saved_is_an_error_or_left_out()
    {
        using Qcow2Image source = Fixtures.Get("bitmaps-in-use").Open();
        var storage = new MemoryStorage([]);
        using Qcow2Image image = Qcow2Image.Create(storage, source.Length);
        var error = Assert.Throws<Qcow2Exception>(() => BitmapCopier.Copy(source, image));
        Assert.Equal(Qcow2ErrorCode.BitmapInconsistent, error.Code);
        Assert.Contains("'broken'", error.Message, StringComparison.Ordinal);
        Assert.Equal(source.Path, error.Path);

        Assert.Equal(["broken"], BitmapCopier.Copy(source, image, skipInconsistent: true));
        Assert.Empty(image.Bitmaps);
    }

    [Fact]
    public void Stale_bitmaps_are_none()
    {
        using Qcow2Image source = Fixtures.Get("bitmaps-stale").Open();
        using Qcow2Image image = Qcow2Image.Create(new MemoryStorage([]), source.Length);
        Assert.Empty(BitmapCopier.Copy(source, image));
        Assert.Empty(image.Bitmaps);
    }

    [Fact]
    public void Enabled_copies_record_what_is_written_next()
    {
        using Qcow2Image source = Fixtures.Get("bitmaps").Open();
        var storage = new MemoryStorage([]);
        using (Qcow2Image image = Qcow2Image.Create(storage, source.Length))
        {
            BitmapCopier.Copy(source, image);
            image.Write(500_000, [1]);
        }

        Dictionary<string, BitmapOnDisk> copies = BitmapReader.Read(storage.Content);
        Assert.True(copies["fine"].Bits[500_000 / 512]);
        Assert.False(copies["middle"].Bits[500_000 / 4096]); // it is disabled
        Assert.True(copies["fine"].Bits[0]);
        Assert.Empty(ImageAuditor.Audit(storage.Content).Corruptions);
    }

    [Fact]
    public void A_destination_that_cannot_take_them_says_why()
    {
        using Qcow2Image source = Fixtures.Get("bitmaps").Open();
        Qcow2Image New(long size, Qcow2CreateOptions? options = null) => Qcow2Image.Create(new MemoryStorage([]), size, options);

        using Qcow2Image old = New(source.Length, new Qcow2CreateOptions { Version = 2 });
        Assert.Equal(Qcow2ErrorCode.UnsupportedFeature, Assert.Throws<Qcow2Exception>(() => BitmapCopier.Copy(source, old)).Code);

        using Qcow2Image other = New(source.Length + 512);
        Assert.Throws<ArgumentException>(() => BitmapCopier.Copy(source, other));
        Assert.Throws<ArgumentException>(() => BitmapCopier.Copy(other, New(source.Length + 512)));

        using Qcow2Image taken = New(source.Length);
        taken.CreateBitmap("coarse");
        Assert.Equal(Qcow2ErrorCode.BitmapExists, Assert.Throws<Qcow2Exception>(() => BitmapCopier.Copy(source, taken)).Code);
        Assert.Equal(["coarse"], taken.Bitmaps.Select(bitmap => bitmap.Name));

        using Qcow2Image readOnly = Fixtures.Get("bitmaps").Open();
        Assert.Throws<NotSupportedException>(() => BitmapCopier.Copy(source, readOnly));
    }

    [Theory]
    [InlineData(12, Qcow2ErrorCode.ImageCorrupt)] // a reserved flag
    [InlineData(20, Qcow2ErrorCode.UnsupportedFeature)] // extra data
    public void What_is_not_understood_is_refused(int field, Qcow2ErrorCode code)
    {
        byte[] file = [.. File.ReadAllBytes(Fixtures.Get("bitmaps-all-ones").Path), .. new byte[4096]];
        using (Qcow2Image image = Qcow2Image.Open(new MemoryStorage([.. file])))
        {
            BitmapsExtension extension = image.Header.Extensions.OfType<BitmapsExtension>().Single();
            int entry = (int)extension.DirectoryOffset;
            file[entry + field + 3] |= 8;
            if (field == 20)
            {
                file.AsSpan(entry + 24, 16).CopyTo(file.AsSpan(entry + 32));
                int sizeField = file.AsSpan().IndexOf(new byte[] { 0x23, 0x85, 0x28, 0x75 }) + 8 + 8 + 7;
                file[sizeField] += 8;
            }
        }

        using Qcow2Image source = Qcow2Image.Open(new MemoryStorage(file));
        using Qcow2Image destination = Qcow2Image.Create(new MemoryStorage([]), source.Length);
        Assert.Equal(code, Assert.Throws<Qcow2Exception>(() => BitmapCopier.Copy(source, destination)).Code);
        Assert.Empty(destination.Bitmaps);
    }

    [Fact]
    public void A_large_bitmap_takes_little_memory()
    {
        // 256 MiB of bits, of which three clusters have some.
        var from = new MemoryStorage([]);
        using (Qcow2Image image = Qcow2Image.Create(from, 1L << 40))
        {
            image.CreateBitmap("large", 512, enabled: true);
            foreach (long at in (long[])[0, 1L << 39, (1L << 40) - 1])
            {
                image.Write(at, [1]);
            }
        }

        using Qcow2Image source = Qcow2Image.Open(new MemoryStorage(from.Content));
        var storage = new MemoryStorage([]);
        Qcow2Image.Create(storage, 1L << 40).Dispose();
        using (Qcow2Image image = OpenForWriting(storage))
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            BitmapCopier.Copy(source, image);
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 8 << 20);
        }

        Assert.InRange(storage.Length, 0, 1 << 20);
        using Qcow2Image copy = Qcow2Image.Open(new MemoryStorage(storage.Content));
        Assert.Equal(Pages(from.Content, source), Pages(storage.Content, copy));
        Assert.Equal(3, Pages(storage.Content, copy).Count());
    }

    [Fact]
    public void Whatever_fails_leaves_all_bitmaps_or_none()
    {
        using Qcow2Image source = Fixtures.Get("bitmaps").Open();
        int failures = 0;
        for (int fault = 0; ; fault++)
        {
            var storage = new MemoryStorage([]);
            Qcow2Image.Create(storage, source.Length, new Qcow2CreateOptions { ClusterSize = 512 }).Dispose();
            Exception? error;
            using (Qcow2Image image = OpenForWriting(storage))
            {
                int left = fault;
                storage.BeforeWrite = (_, _) => Fail();
                storage.BeforeFlush = Fail;
                error = Record.Exception(() => BitmapCopier.Copy(source, image));
                storage.BeforeWrite = null;
                storage.BeforeFlush = null;
                if (error is not null && image.Bitmaps.Count == 0 && Record.Exception(() => image.CreateBitmap("probe", enabled: false)) is null)
                {
                    image.RemoveBitmap("probe");
                    BitmapCopier.Copy(source, image); // What failed can be tried again.
                }

                void Fail()
                {
                    if (left-- == 0)
                    {
                        throw new IOException("no space");
                    }
                }
            }

            ImageAuditor audit = ImageAuditor.Audit(storage.Content);
            Assert.True(audit.Corruptions.Count == 0, $"fault {fault}: {string.Join('\n', audit.Corruptions.Take(5))}");
            Dictionary<string, BitmapOnDisk> copies = BitmapReader.Read(storage.Content);
            Assert.True(copies.Count is 0 or 4, $"fault {fault}: {copies.Count} bitmaps");
            if (error is null)
            {
                Assert.Equal(4, copies.Count);
                break;
            }

            failures++;
        }

        Assert.InRange(failures, 10, 1000);
    }

    [Fact]
    public void A_crash_leaves_all_bitmaps_or_none()
    {
        using Qcow2Image source = Fixtures.Get("bitmaps").Open();
        int seed = TestRounds.Seed(nameof(A_crash_leaves_all_bitmaps_or_none));
        var storage = new MemoryStorage([]);
        Qcow2Image.Create(storage, source.Length, new Qcow2CreateOptions { ClusterSize = 512 }).Dispose();
        var log = new WriteLog(storage);
        using (Qcow2Image image = OpenForWriting(storage))
        {
            BitmapCopier.Copy(source, image);
        }

        var counts = new HashSet<int>();
        foreach ((int at, byte[] file) in log.Crashes(new Random(seed), TestRounds.Times(4)))
        {
            ImageAuditor audit = ImageAuditor.Audit(file);
            Assert.True(audit.Corruptions.Count == 0, $"QCOW2_TEST_SEED={seed}, write {at}: {string.Join('\n', audit.Corruptions.Take(5))}");
            counts.Add(BitmapReader.Read(file).Count);
        }

        Assert.Equal([0, 4], counts.Order());
    }

    [Fact]
    public void A_stopped_copy_leaves_nothing()
    {
        using Qcow2Image source = Fixtures.Get("bitmaps").Open();
        using var stop = new CancellationTokenSource();
        var storage = new MemoryStorage([]);
        Qcow2Image.Create(storage, source.Length, new Qcow2CreateOptions { ClusterSize = 512 }).Dispose();
        using (Qcow2Image image = OpenForWriting(storage))
        {
            storage.BeforeWrite = (_, _) => stop.Cancel();
            Assert.ThrowsAny<OperationCanceledException>(() => BitmapCopier.Copy(source, image, cancellationToken: stop.Token));
        }

        Assert.Empty(BitmapReader.Read(storage.Content));
        ImageAuditor audit = ImageAuditor.Audit(storage.Content);
        Assert.Empty(audit.Corruptions);
        Assert.Equal(0, audit.Leaks);
    }

    private static void Copy(Qcow2Image source, MemoryStorage storage, int clusterSize)
    {
        using Qcow2Image image = Qcow2Image.Create(storage, source.Length, new Qcow2CreateOptions { ClusterSize = clusterSize });
        Assert.Empty(BitmapCopier.Copy(source, image));
    }

    private static Qcow2Image OpenForWriting(string path) => Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true });

    private static Qcow2Image OpenForWriting(MemoryStorage storage) => Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true });

    private static void AssertSame(BitmapOnDisk expected, BitmapOnDisk actual, string label)
    {
        Assert.True(expected.Flags == actual.Flags, $"{label}: flags {actual.Flags}");
        Assert.True(expected.GranularityBits == actual.GranularityBits, label);
        Assert.True(expected.Dirty.SequenceEqual(actual.Dirty), $"{label}: other bits");
    }

    private static string Listed(string path)
    {
        using JsonDocument info = JsonDocument.Parse(QemuImg.Run("info", "--output=json", path));
        return info.RootElement.GetProperty("format-specific").GetProperty("data").GetProperty("bitmaps").GetRawText();
    }

    /// <summary>The clusters of the only bitmap that hold bits, by their number.</summary>
    private static IEnumerable<(int Page, string Bits)> Pages(byte[] file, Qcow2Image image)
    {
        BitmapDirectoryEntry bitmap = Assert.Single(image.Bitmaps);
        for (int page = 0; page < bitmap.TableSize; page++)
        {
            long offset = (long)System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan((int)bitmap.TableOffset + (page * 8)));
            if (offset != 0)
            {
                yield return (page, Convert.ToHexString(file.AsSpan((int)offset, image.Header.ClusterSize)));
            }
        }
    }

    private string MakeSource(string layout, Random random)
    {
        string path = _folder.File("source.qcow2");
        QemuImg.RunIn(_folder.Path, "create", "-q", "-f", "qcow2", "-o", layout, path, Size.ToString(CultureInfo.InvariantCulture));
        for (int i = 0; i < 5; i++)
        {
            long granularity = 512L << random.Next(i == 4 ? 23 : 10);
            QemuImg.RunIn(_folder.Path, "bitmap", "--add", "-g", granularity.ToString(CultureInfo.InvariantCulture), path, $"bitmap {i}");
            int offset = random.Next(Size);
            int length = random.Next(1, Math.Min(Size - offset, 300_000) + 1);
            QemuImg.TryRunIoIn(_folder.Path, "-f", "qcow2", "-c", $"write {offset} {length}", path);
            if (random.Next(2) == 0)
            {
                QemuImg.RunIn(_folder.Path, "bitmap", "--disable", path, $"bitmap {i}");
            }
        }

        return path;
    }

    private sealed class Reports : IProgress<WorkProgress>
    {
        internal int Count { get; private set; }

        public void Report(WorkProgress value) => Count++;
    }
}

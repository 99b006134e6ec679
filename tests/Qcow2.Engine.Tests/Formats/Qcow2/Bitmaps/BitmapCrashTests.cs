using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;
using Xunit.Abstractions;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Bitmaps;

/// <summary>
/// A crash, or a host that refuses, at any point of a life with bitmaps: at most leaks, and a bitmap that is not marked as in
/// use knows of everything that changed.
/// </summary>
public sealed class BitmapCrashTests(ITestOutputHelper output)
{
    private const int SectorSize = 512;

    // With clusters of 512 bytes a table has one entry, two, or more than fit in a cluster.
    private static readonly long[] Sizes = [Least, 32_000, 3 << 20, 150 << 20];

    // What a resize cut off is clear when it comes back, and zeros; so only what every size has is compared.
    private const int Least = 20_480;

    public static TheoryData<string> Workloads => ["cluster-512", "cluster-4096", "resize-512", "resize-4096", "faulty:cluster-512", "faulty:resize-512"];

    [Theory, MemberData(nameof(Workloads))]
    public void Crash_leaves_at_most_leaks_and_no_bitmap_that_lies(string name)
    {
        int seed = TestRounds.Seed(name);
        var random = new Random(seed);
        byte[] start = Build(name).Bytes;
        var storage = new MemoryStorage([.. start]);
        var log = new WriteLog(storage);
        bool resizes = name.Contains("resize", StringComparison.Ordinal);
        bool isFaulty = name.StartsWith("faulty:", StringComparison.Ordinal);
        for (int round = TestRounds.Times(3); round > 0; round--)
        {
            if (isFaulty)
            {
                log.FailAtRandom(storage, random);
            }

            Live(storage, random, resizes, () =>
            {
                if (random.Next(3) > 0)
                {
                    log.FailNoMore(); // Or hardly any close would succeed.
                }
            });
            log.FailNoMore();
        }

        int tried = 0;
        int inUse = 0;
        foreach ((int at, byte[] file) in log.Crashes(random, resizes ? 2 : 8))
        {
            tried++;
            string label = $"{name}, QCOW2_TEST_SEED={seed}, crash {tried} after write {at} of {log.Count}";
            ImageAuditor audit = ImageAuditor.Audit(file);
            Assert.True(audit.Corruptions.Count == 0, $"{label}: {string.Join('\n', audit.Corruptions.Take(5))}");
            inUse += AssertNoBitmapLies(start, file, label) ? 0 : 1;
            if (tried % 16 == 1)
            {
                WriteOn(file, label);
            }
        }

        Assert.InRange(inUse, 1, tried - 1);
        output.WriteLine($"{name}: {tried} crash points, {inUse} with bitmaps in use.");
    }

    [Theory]
    [InlineData("cluster-512")]
    [InlineData("cluster-4096")]
    [InlineData("resize-512")]
    public void Failure_at_close_is_reported_and_leaves_the_image_sound(string name)
    {
        byte[] start = Build(name).Bytes;
        int at = 1;
        int whole = 0;
        while (CloseWithFault(start, name, at, out bool isSaved))
        {
            whole += isSaved ? 1 : 0;
            at++;
        }

        Assert.True(at > 8, "Hardly anything failed.");
        Assert.InRange(whole, 0, at - 4);
    }

    /// <returns>False if the image closed before the fault.</returns>
    private static bool CloseWithFault(byte[] start, string name, int at, out bool isSaved)
    {
        var storage = new MemoryStorage([.. start]);
        Qcow2Image image = Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true });
        Live(image, new Random(1), resizes: name.StartsWith("resize", StringComparison.Ordinal), steps: 6);
        image.Flush();
        byte[] content = new byte[Least];
        image.Read(0, content);
        int calls = 0;
        void Fail()
        {
            if (++calls >= at)
            {
                throw new IOException("No space.");
            }
        }

        storage.BeforeWrite = (_, _) => Fail();
        storage.BeforeFlush = Fail;
        Exception? error = Record.Exception(image.Dispose);
        storage.BeforeWrite = null;
        storage.BeforeFlush = null;

        Assert.Equal(calls >= at, error is IOException);
        ImageAuditor audit = ImageAuditor.Audit(storage.Content);
        Assert.True(audit.Corruptions.Count == 0, $"{name}, fault {at}: {string.Join('\n', audit.Corruptions.Take(5))}");
        isSaved = AssertNoBitmapLies(start, storage.Content, $"{name}, fault {at}");
        Assert.True(error is not null || (isSaved && audit.Leaks == 0));
        using Qcow2Image again = Qcow2Image.Open(new MemoryStorage(storage.Content), new Qcow2OpenOptions { Writable = true });
        byte[] read = new byte[Least];
        again.Read(0, read);
        Assert.Equal(content, read);
        again.Write(0, [1]);
        return error is not null;
    }

    private static BuiltImage Build(string name) => new ImageBuilder
    {
        ClusterBits = name.EndsWith("512", StringComparison.Ordinal) ? 9 : 12,
        Size = name.EndsWith("512", StringComparison.Ordinal) ? 32_000UL : 250_000UL,
        Bitmaps =
        [
            new BuilderBitmap("fine", 9), new BuilderBitmap("coarse", 14), new BuilderBitmap("off", 9, 0),
            .. name.Contains("resize", StringComparison.Ordinal) ? (BuilderBitmap[])[] : [new BuilderBitmap("lost", 9, 3)],
        ],
    }.Build();

    private static void Live(MemoryStorage storage, Random random, bool resizes, Action? beforeClose = null)
    {
        Qcow2Image image = Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true });
        Live(image, random, resizes, steps: 10);
        beforeClose?.Invoke();
        if (Record.Exception(image.Dispose) is Exception error)
        {
            Assert.IsType<IOException>(error);
        }
    }

    private static void Live(Qcow2Image image, Random random, bool resizes, int steps)
    {
        for (int i = 0; i < steps; i++)
        {
            int length = random.Next(1, (int)Math.Min(9000, image.Length));
            long end = random.Next(4) == 0 ? image.Length : Math.Min(image.Length, 40_000);
            long offset = random.NextInt64(end - length + 1);
            long size = Sizes[random.Next(Sizes.Length)];
            byte[] data = new byte[length];
            random.NextBytes(data);
            Action act = random.Next(7) switch
            {
                0 => image.Flush,
                1 => () => image.WriteZeroes(offset, length),
                2 => () => image.Discard(offset, length),
                3 when resizes => () => image.Resize(size, allowShrink: true),
                _ => () => image.Write(offset, data),
            };
            if (Record.Exception(act) is Exception error)
            {
                // A close that failed leaves a bitmap that cannot follow a resize.
                Assert.True(error is NotSupportedException ? image.Bitmaps.Any(bitmap => (bitmap.Flags & BitmapFlags.InUse) != 0) : error is IOException, error.ToString());
            }
        }
    }

    /// <returns>Whether no bitmap is in use that was not from the start.</returns>
    private static bool AssertNoBitmapLies(byte[] start, byte[] file, string label)
    {
        using Qcow2Image before = Qcow2Image.Open(new MemoryStorage(start));
        using Qcow2Image after = Qcow2Image.Open(new MemoryStorage(file));
        byte[] old = new byte[Least];
        byte[] now = new byte[Least];
        before.Read(0, old);
        after.Read(0, now);
        Dictionary<string, BitmapOnDisk> bitmaps = BitmapReader.Read(file);
        Assert.Equal(before.Bitmaps.Select(bitmap => bitmap.Name), bitmaps.Keys);
        Assert.True(!bitmaps.TryGetValue("lost", out BitmapOnDisk? lost) || lost.Flags == 3);
        foreach (BitmapOnDisk bitmap in bitmaps.Values.Where(bitmap => bitmap.Flags == BitmapOnDisk.Auto))
        {
            for (int sector = 0; sector < Least / SectorSize; sector++)
            {
                bool isSame = old.AsSpan(sector * SectorSize, SectorSize).SequenceEqual(now.AsSpan(sector * SectorSize, SectorSize));
                Assert.True(
                    isSame || bitmap.Bits[((long)sector * SectorSize) >> bitmap.GranularityBits],
                    $"{label}: bitmap {bitmap.Name} does not know of sector {sector}.");
            }
        }

        return bitmaps.Values.All(bitmap => bitmap.Name == "lost" || (bitmap.Flags & BitmapOnDisk.InUse) == 0);
    }

    private static void WriteOn(byte[] file, string label)
    {
        var storage = new MemoryStorage([.. file]);
        Live(storage, new Random(1), resizes: false);
        ImageAuditor audit = ImageAuditor.Audit(storage.Content);
        Assert.True(audit.Corruptions.Count == 0, $"{label}, after writing on: {string.Join('\n', audit.Corruptions.Take(5))}");
    }
}

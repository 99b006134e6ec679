using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Layering;

/// <summary>Whatever a crash, or a failing host, leaves of a merge or a rebase: the chain shows what it showed, and nothing is corrupt.</summary>
public sealed class ChainCrashTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<string> Layouts => [.. ChainPair.Layouts];

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Layouts))]
    public void Merge_cut_off_anywhere_shows_the_same(string layout)
    {
        (ChainPair pair, Random random, string label) = Make(layout, "merge");
        MemoryStorage image = pair.ImageStorage();
        MemoryStorage below = pair.BelowStorage();
        var order = new List<string>();
        WriteLog imageLog = Record(image, "image", order);
        WriteLog belowLog = Record(below, "below", order);
        pair.Merge(image, below, empties: true);

        // What the disk has of the backing file when the image is written for the first time; only holes are punched and counts go down after that.
        List<string> before = [.. order.TakeWhile(what => what != "image").Where(what => what.StartsWith("below", StringComparison.Ordinal))];
        Assert.Contains("below flushed", before);
        byte[] merged = below.Content;
        List<byte[]> after = [merged];
        Dictionary<string, byte[]> snapshotsBelow = pair.IsBelowRaw ? [] : pair.Snapshots(pair.Below);
        foreach ((int at, byte[] crashed) in belowLog.Crashes(random, 2))
        {
            string here = $"{label}, crash after {at} of {belowLog.Count} of the backing file";
            if (!pair.IsBelowRaw)
            {
                ChainPair.AssertSound(crashed, here);
                AssertSnapshots(snapshotsBelow, pair.Snapshots(crashed), here);
            }

            ChainFolder.AssertSame(pair.Content, pair.Read(pair.Image, crashed), here);
            if (at >= before.Count)
            {
                after.Add(crashed);
            }
        }

        Dictionary<string, byte[]> snapshots = pair.Snapshots(pair.Image, merged);
        foreach ((int at, byte[] crashed) in imageLog.Crashes(random, 4))
        {
            string here = $"{label}, crash after {at} of {imageLog.Count} of the image";
            ChainPair.AssertSound(crashed, here);
            byte[] then = after[random.Next(after.Count)];
            ChainFolder.AssertSame(pair.Content, pair.Read(crashed, then), here);
            AssertSnapshots(snapshots, pair.Snapshots(crashed, then), here);
        }

        AssertMerged(pair, image.Content, merged, label);
    }

    /// <summary>Whole clusters of the destination get their places in the order of the disk.</summary>
    [Theory]
    [InlineData("v2 on v2")]
    [InlineData("4096 on 512")]
    [InlineData("4096 on 512 shared")]
    public void Merge_does_not_depend_on_the_number_of_threads(string layout)
    {
        (ChainPair pair, _, string label) = Make(layout, "threads");
        byte[]? first = null;
        foreach (int threads in (int[])[1, 2, 8])
        {
            MemoryStorage below = pair.BelowStorage();
            pair.Merge(pair.ImageStorage(), below, empties: true, threads);
            first ??= below.Content;
            ChainFolder.AssertSame(first, below.Content, $"{label}, {threads} threads");
        }
    }

    [Theory, MemberData(nameof(Layouts))]
    public void Rebase_cut_off_anywhere_shows_the_same(string layout)
    {
        (ChainPair pair, Random random, string label) = Make(layout, "rebase");
        bool toNone = false;
        do
        {
            toNone = !toNone;
            MemoryStorage image = pair.ImageStorage();
            if (layout.StartsWith("fixture:snapshots", StringComparison.Ordinal))
            {
                // Its snapshots show the old backing file, which nothing can change.
                var error = Assert.Throws<Qcow2Exception>(() => pair.Rebase(image, toNone));
                Assert.Equal(Qcow2ErrorCode.SnapshotWouldChange, error.Code);
                Assert.Equal(pair.Image, image.Content);
                continue;
            }

            var log = new WriteLog(image);
            pair.Rebase(image, toNone);
            foreach ((int at, byte[] crashed) in log.Crashes(random, 3))
            {
                string here = $"{label}, to none {toNone}, crash after {at} of {log.Count}";
                ChainPair.AssertSound(crashed, here);
                ChainFolder.AssertSame(pair.Content, pair.Read(crashed, null), here);
            }

            Assert.Equal(toNone ? null : ChainPair.NewBase, Qcow2Header.Parse(image.Content).BackingFile);
            ChainFolder.AssertSame(pair.Content, pair.Read(image.Content, null), label);
        }
        while (toNone);
    }

    [Theory, MemberData(nameof(Layouts))]
    public void Failure_at_any_write_or_flush_can_be_tried_again(string layout)
    {
        (ChainPair pair, Random random, string label) = Make(layout, "fault");
        int step = 1;
        int failures = 0;
        for (int at = 1; ; at += step)
        {
            MemoryStorage image = pair.ImageStorage();
            MemoryStorage below = pair.BelowStorage();
            bool failed = Fails(at, [image, below], () => pair.Merge(image, below, empties: true));
            string here = $"{label}, merge with fault {at}";
            ChainPair.AssertSound(image.Content, here);
            ChainFolder.AssertSame(pair.Content, pair.Read(image.Content, below.Content), here);
            pair.Merge(new MemoryStorage(image.Content, image.Path), below, empties: true);
            ChainFolder.AssertSame(pair.Content, pair.Read(image.Content, below.Content), here);
            failures += failed ? 1 : 0;
            step = random.Next(1, 4);
            if (!failed)
            {
                break;
            }
        }

        Assert.True(failures > 3, $"{label}: only {failures} merges failed.");
        failures = 0;
        for (int at = 1; !layout.StartsWith("fixture:snapshots", StringComparison.Ordinal); at += step)
        {
            MemoryStorage image = pair.ImageStorage();
            bool failed = Fails(at, [image], () => pair.Rebase(image, toNone: false));
            string here = $"{label}, rebase with fault {at}";
            ChainPair.AssertSound(image.Content, here);
            ChainFolder.AssertSame(pair.Content, pair.Read(image.Content, null), here);
            failures += failed ? 1 : 0;
            step = random.Next(1, 4);
            if (!failed)
            {
                Assert.True(failures > 3, $"{label}: only {failures} rebases failed.");
                break;
            }

            if (Qcow2Header.Parse(image.Content).BackingFile != ChainPair.NewBase)
            {
                var again = new MemoryStorage(image.Content, image.Path);
                pair.Rebase(again, toNone: false);
                ChainFolder.AssertSame(pair.Content, pair.Read(again.Content, null), here);
            }
        }
    }

    private static void AssertMerged(ChainPair pair, byte[] image, byte[] merged, string label)
    {
        ChainPair.AssertSound(image, label, mayLeak: false);
        byte[] expected = [.. pair.BelowContent, .. new byte[Math.Max(0, pair.Content.Length - pair.BelowContent.Length)]];
        pair.Content.CopyTo(expected, 0);
        ChainFolder.AssertSame(expected, pair.ReadBelow(merged), $"{label}, the backing file");
        if (!pair.IsBelowRaw)
        {
            ChainPair.AssertSound(merged, label, mayLeak: false);
        }
    }

    private static bool Fails(int at, MemoryStorage[] storages, Action action)
    {
        int calls = 0;
        foreach (MemoryStorage storage in storages)
        {
            storage.BeforeWrite = (_, _) => Count();
            storage.BeforeFlush = Count;
            storage.BeforeSetLength = _ => Count();
        }

        Exception? failure = Xunit.Record.Exception(action);
        foreach (MemoryStorage storage in storages)
        {
            storage.BeforeWrite = null;
            storage.BeforeFlush = null;
            storage.BeforeSetLength = null;
        }

        if (failure is not null)
        {
            Assert.IsType<IOException>(failure);
        }

        return failure is not null;

        void Count()
        {
            if (++calls == at)
            {
                throw new IOException("Fault.");
            }
        }
    }

    private static void AssertSnapshots(Dictionary<string, byte[]> expected, Dictionary<string, byte[]> actual, string label)
    {
        Assert.Equal(expected.Keys.Order(), actual.Keys.Order());
        foreach ((string id, byte[] content) in expected)
        {
            ChainFolder.AssertSame(content, actual[id], $"{label}, snapshot {id}");
        }
    }

    private static WriteLog Record(MemoryStorage storage, string name, List<string> order)
    {
        var log = new WriteLog(storage);
        Action<long, byte[]> written = storage.Written!;
        Action flushed = storage.BeforeFlush!;
        storage.Written = (offset, data) =>
        {
            order.Add(name);
            written(offset, data);
        };
        storage.BeforeFlush = () =>
        {
            order.Add(name + " flushed");
            flushed();
        };

        // Cutting the file off comes last, when the disk has all else; a disk that grows does so before anything lies there.
        storage.BeforeSetLength = _ => { };
        return log;
    }

    private (ChainPair Pair, Random Random, string Label) Make(string layout, string what)
    {
        int seed = TestRounds.Seed($"{what} {layout}");
        var random = new Random(seed);
        return (ChainPair.Make(layout, _folder, random), random, $"{what} {layout}, QCOW2_TEST_SEED={seed}");
    }
}

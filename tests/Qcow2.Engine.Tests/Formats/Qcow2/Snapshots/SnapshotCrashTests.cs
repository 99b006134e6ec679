using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;
using Xunit.Abstractions;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Snapshots;

/// <summary>
/// Whatever part of the writes since the last flush a crash leaves, while a snapshot is created, applied, deleted or renamed: the
/// image is as it was before or as it is after, with leaks at most, and goes on being written.
/// </summary>
public sealed class SnapshotCrashTests(ITestOutputHelper output) : IDisposable
{
    private const int SectorSize = 512;

    private readonly TempFolder _folder = new();

    public static TheoryData<string> Workloads =>
    [
        "cluster-512", "cluster-512-refcount-64", "cluster-512-refcount-2", "cluster-4096", "cluster-65536", "version-2", "extended",
        "extended-backing", "backing", "table-grows", "fixture:snapshots", "fixture:snapshots-extl2", "fixture:snapshots-compressed",
        "faulty:cluster-512", "faulty:extended", "faulty:fixture:snapshots", "faulty:table-grows",
    ];

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Workloads))]
    public void Crash_leaves_the_old_or_the_new(string name)
    {
        bool isFaulty = name.StartsWith("faulty:", StringComparison.Ordinal);
        MemoryStorage storage = MakeImage(isFaulty ? name["faulty:".Length..] : name);
        int seed = TestRounds.Seed(name);
        var random = new Random(seed);
        var log = new WriteLog(storage);
        var states = new List<(int End, bool IsWrite, SnapshotModel Model)>();
        using (Qcow2Image image = Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true }))
        {
            var work = new SnapshotWork(image, SnapshotModel.Read(image), random);
            states.Add((log.Count, false, work.Model));
            bool isLarge = storage.Length > 500_000;
            for (int i = TestRounds.Times(isLarge ? 4 : 12); i > 0; i--)
            {
                work.WriteStep();
                image.Flush();
                states.Add((log.Count, true, work.Model));
                if (isFaulty)
                {
                    log.FailAtRandom(storage, random);
                }

                Retry(work.SnapshotStep(name.EndsWith("refcount-2", StringComparison.Ordinal) ? 2 : 4), log);
                log.FailNoMore();
                states.Add((log.Count, false, work.Model));
            }
        }

        int tried = 0;
        int leaky = 0;
        int perEvent = storage.Length > 1_000_000 ? 1 : 4;
        foreach ((int at, byte[] file) in log.Crashes(random, perEvent))
        {
            tried++;
            string label = $"{name}, QCOW2_TEST_SEED={seed}, crash {tried} after write {at} of {log.Count}";
            ImageAuditor audit = ImageAuditor.Audit(file);
            Assert.True(audit.Corruptions.Count == 0, $"{label}: {string.Join('\n', audit.Corruptions.Take(5))}");
            leaky += audit.Leaks > 0 ? 1 : 0;
            if (tried % 60 == 1)
            {
                AgreeWithQemu(file, audit, label);
            }

            if (tried % 3 == 1)
            {
                Reopen(states, at, file, storage.Path, random, label, goOn: tried % 6 == 1);
            }
        }

        output.WriteLine($"{name}: {tried} crash points, {leaky} with leaks.");
    }

    /// <summary>Tries again until it succeeds; what needs many writes would fail for ever, so the host recovers in the end.</summary>
    private static void Retry(Action action, WriteLog log)
    {
        const int MostFailures = 4;
        for (int failures = 1; Record.Exception(action) is Exception error; failures++)
        {
            Assert.IsType<IOException>(error); // Only what fails at random does.
            if (failures == MostFailures)
            {
                log.FailNoMore();
            }
        }
    }

    private static void Reopen(
        List<(int End, bool IsWrite, SnapshotModel Model)> states, int at, byte[] file, string path, Random random, string label, bool goOn)
    {
        int known = states.FindLastIndex(state => state.End <= at);
        SnapshotModel before = states[known].Model;
        (_, bool isWrite, SnapshotModel after) = states[Math.Min(known + 1, states.Count - 1)];
        var crashed = new MemoryStorage(file, path);
        using Qcow2Image image = Qcow2Image.Open(crashed, new Qcow2OpenOptions { Writable = goOn });
        var found = SnapshotModel.Read(image);
        if (isWrite)
        {
            Assert.True(found.HasSameSnapshots(before), $"{label}: a snapshot changed.");
            AssertOldOrNew(before.Disk, after.Disk, found.Disk, label);
        }
        else
        {
            Assert.True(found.IsSame(before) || found.IsSame(after), $"{label}: neither the image before nor the one after.");
        }

        if (!goOn || image.Header.RefcountOrder.Bits == 2)
        {
            return; // Where a leak leaves counts of two bits no room, no snapshot can be taken, and is refused.
        }

        // An image with leaks is written on as any other.
        var work = new SnapshotWork(image, found, random);
        work.WriteStep();
        work.SnapshotStep()();
        work.WriteStep();
        work.AssertEqual(label);
        image.Dispose();
        ImageAuditor audit = ImageAuditor.Audit(crashed.Content);
        Assert.True(audit.Corruptions.Count == 0, $"{label}, after going on: {string.Join('\n', audit.Corruptions.Take(5))}");
    }

    private static void AssertOldOrNew(byte[] before, byte[] after, byte[] found, string label)
    {
        Assert.Equal(before.Length, found.Length);
        for (int start = 0; start < found.Length; start += SectorSize)
        {
            Range sector = start..Math.Min(found.Length, start + SectorSize);
            Assert.True(
                found.AsSpan(sector).SequenceEqual(before.AsSpan(sector)) || found.AsSpan(sector).SequenceEqual(after.AsSpan(sector)),
                $"{label}: the sector at 0x{start:x} holds neither what was flushed nor what was written since.");
        }
    }

    private void AgreeWithQemu(byte[] file, ImageAuditor audit, string label)
    {
        if (QemuImg.IsAvailable)
        {
            string path = _folder.File("crash.qcow2");
            File.WriteAllBytes(path, file);
            (int corruptions, int leaks, string said) = QemuJudge.Check(path);
            Assert.True(corruptions == 0 && leaks == audit.Leaks, $"{label}, {audit.Leaks} leaks: {said}");
        }
    }

    private MemoryStorage MakeImage(string name)
    {
        if (name.StartsWith("fixture:", StringComparison.Ordinal))
        {
            Fixture fixture = Fixtures.Get(name["fixture:".Length..]);
            return new MemoryStorage(File.ReadAllBytes(fixture.Path), _folder.File(fixture.File));
        }

        bool grows = name == "table-grows";
        int clusterSize = name.StartsWith("cluster-", StringComparison.Ordinal) ? int.Parse(name.Split('-')[1], null)
            : grows ? 512
            : name.StartsWith("extended", StringComparison.Ordinal) ? 16_384
            : 4096;
        bool hasBacking = name.EndsWith("backing", StringComparison.Ordinal);
        byte[] content = new byte[grows ? 2 << 20 : clusterSize == 65_536 ? 1 << 20 : 200_192];
        new Random(1).NextBytes(content.AsSpan(0, content.Length * 3 / 4));
        if (hasBacking)
        {
            _folder.Write("base.raw", content);
        }

        string[] parts = name.Split('-');
        var storage = new MemoryStorage([], _folder.File("image.qcow2"));
        using (Qcow2Image image = Qcow2Image.Create(storage, content.Length, new Qcow2CreateOptions
        {
            Version = name == "version-2" ? 2 : 3,
            ClusterSize = clusterSize,
            RefcountBits = parts.Length == 4 ? int.Parse(parts[3], null) : grows ? 64 : 16,
            ExtendedL2 = name.StartsWith("extended", StringComparison.Ordinal),
            BackingFile = hasBacking ? "base.raw" : null,
            BackingFormat = hasBacking ? "raw" : null,
        }))
        {
            if (!hasBacking)
            {
                // Close to what one cluster of refcount table can count, where it shall grow.
                image.Write(0, content.AsSpan(0, grows ? 1_900_000 : content.Length / 2));
            }
        }

        return storage;
    }
}

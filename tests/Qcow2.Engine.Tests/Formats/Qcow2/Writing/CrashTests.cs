using Qcow2.Engine.Format;
using Qcow2.Tests;
using Xunit.Abstractions;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <summary>
/// Whatever part of the writes since the last flush a crash leaves: nothing but leaks, and everything that was flushed.
/// </summary>
public sealed class CrashTests(ITestOutputHelper output) : IDisposable
{
    private const int SectorSize = 512;
    private const int MostResizedBytes = 700_000;

    private readonly TempFolder _folder = new();

    public static TheoryData<string> Workloads =>
    [
        "cluster-512", "cluster-512-refcount-64", "cluster-512-refcount-1", "table-grows", "cluster-4096", "cluster-65536", "version-2",
        "extended", "extended-backing", "backing", "fixture:snapshots", "fixture:snapshots-extl2", "fixture:snapshots-compressed",
        "fixture:deflate-4k", "fixture:compressed-mixed", "fixture:zero-allocated", "fixture:zero-plain",
        "zstd", "resize:cluster-512", "resize:cluster-512-refcount-64", "resize:cluster-4096", "resize:version-2", "resize:extended",
        "resize:backing", "resize:extended-backing", "resize:fixture:snapshots", "faulty:resize:cluster-512", "faulty:resize:extended-backing",
        "faulty:cluster-512", "faulty:table-grows", "faulty:extended", "faulty:fixture:snapshots", "faulty:fixture:deflate-4k",
    ];

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Workloads))]
    public void Crash_leaves_at_most_leaks(string name)
    {
        bool isFaulty = name.StartsWith("faulty:", StringComparison.Ordinal);
        string layout = isFaulty ? name["faulty:".Length..] : name;
        bool resizes = layout.StartsWith("resize:", StringComparison.Ordinal);
        layout = resizes ? layout["resize:".Length..] : layout;
        MemoryStorage storage = MakeImage(layout);
        int seed = TestRounds.Seed(name);
        var random = new Random(seed);
        Workload work;
        Dictionary<string, byte[]> snapshots;
        using (Qcow2Image image = Open(storage))
        {
            snapshots = ReadSnapshots(image);
            var model = new DiskModel(DiskModel.ReadAll(image), Math.Min(image.Header.ClusterSize, 8192), seed, name);
            if (layout == "table-grows")
            {
                byte[] fill = new byte[1_900_000];
                random.NextBytes(fill);
                image.Write(0, fill);
                fill.CopyTo(model.Content, 0);
                image.Flush();
            }

            work = new Workload(model, new WriteLog(storage));
            if (isFaulty)
            {
                work.Log.FailAtRandom(storage, random);
            }

            for (int i = TestRounds.Times(60); i > 0; i--)
            {
                work.Step(image, resizes);
            }

            work.Log.FailNoMore();
        }

        int tried = 0;
        int leaky = 0;
        int again = 0;
        int perEvent = layout == "table-grows" || storage.Length > 2_000_000 ? 3 : 8;
        foreach ((int at, byte[] file) in work.Log.Crashes(random, perEvent))
        {
            tried++;
            string label = $"{name}, QCOW2_TEST_SEED={seed}, crash {tried} after write {at} of {work.Log.Count}";
            ImageAuditor audit = ImageAuditor.Audit(file);
            Assert.True(audit.Corruptions.Count == 0, $"{label}: {string.Join('\n', audit.Corruptions.Take(5))}");
            leaky += audit.Leaks > 0 ? 1 : 0;
            if (tried % 100 == 1)
            {
                AgreeWithQemu(file, audit, label);
            }

            if (tried % 2 == 1)
            {
                MemoryStorage crashed = Reopen(work, at, file, storage.Path, snapshots, label, writeOn: tried % 4 == 1);
                if (tried % 20 == 3)
                {
                    again += CrashAgain(crashed, snapshots, random, label);
                }
            }
        }

        output.WriteLine($"{name}: {tried} crash points, {leaky} with leaks; {again} of a second crash.");
    }

    private static Qcow2Image Open(MemoryStorage storage, bool writable = true)
        => Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = writable });

    private static Dictionary<string, byte[]> ReadSnapshots(Qcow2Image image)
        => image.Snapshots.ToDictionary(snapshot => snapshot.Id, snapshot => DiskModel.ReadAll(image.OpenSnapshot(snapshot)));

    private static MemoryStorage Reopen(
        Workload work, int at, byte[] file, string path, Dictionary<string, byte[]> snapshots, string label, bool writeOn)
    {
        var crashed = new MemoryStorage(file, path);
        byte[] content;
        using (Qcow2Image image = Open(crashed, writable: false))
        {
            content = DiskModel.ReadAll(image);
            work.AssertSurvived(content, at, label);
            AssertSnapshots(image, snapshots, label);
        }

        if (!writeOn)
        {
            return crashed;
        }

        // An image with leaks is written on as any other.
        var model = new DiskModel(content, 4096, at, label);
        using (Qcow2Image image = Open(crashed))
        {
            for (int i = 0; i < 4; i++)
            {
                model.WriteSome(image);
                image.Flush();
            }

            model.AssertEqual(image);
            AssertSnapshots(image, snapshots, label);
        }

        ImageAuditor audit = ImageAuditor.Audit(crashed.Content);
        Assert.True(audit.Corruptions.Count == 0, $"{label}, after writing on: {string.Join('\n', audit.Corruptions.Take(5))}");
        return crashed;
    }

    /// <summary>Writes on in what a crash left, and crashes again.</summary>
    /// <returns>Crash points tried.</returns>
    private static int CrashAgain(MemoryStorage storage, Dictionary<string, byte[]> snapshots, Random random, string label)
    {
        Workload work;
        using (Qcow2Image image = Open(storage))
        {
            var model = new DiskModel(DiskModel.ReadAll(image), Math.Min(image.Header.ClusterSize, 8192), random.Next(), label);
            work = new Workload(model, new WriteLog(storage));
            for (int i = 0; i < 8; i++)
            {
                work.Step(image, resizes: false);
            }
        }

        int tried = 0;
        foreach ((int at, byte[] file) in work.Log.Crashes(random, 1).Where(_ => random.Next(6) == 0))
        {
            tried++;
            string second = $"{label}, second crash after write {at}";
            ImageAuditor audit = ImageAuditor.Audit(file);
            Assert.True(audit.Corruptions.Count == 0, $"{second}: {string.Join('\n', audit.Corruptions.Take(5))}");
            Reopen(work, at, file, storage.Path, snapshots, second, writeOn: false);
        }

        return tried;
    }

    private static void AssertSnapshots(Qcow2Image image, Dictionary<string, byte[]> snapshots, string label)
    {
        foreach ((string id, byte[] content) in ReadSnapshots(image))
        {
            Assert.True(content.AsSpan().SequenceEqual(snapshots[id]), $"{label}: snapshot {id} changed.");
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

        int clusterSize = name.StartsWith("cluster-", StringComparison.Ordinal) ? int.Parse(name.Split('-')[1], null)
            : name == "table-grows" ? 512
            : name.StartsWith("extended", StringComparison.Ordinal) ? 16_384
            : 4096;
        bool hasBacking = name.EndsWith("backing", StringComparison.Ordinal);
        if (hasBacking)
        {
            byte[] content = new byte[150_000];
            new Random(1).NextBytes(content);
            _folder.Write("base.raw", content);
        }

        var storage = new MemoryStorage([], _folder.File("image.qcow2"));
        int length = name == "table-grows" ? 3 << 20 : clusterSize == 65_536 ? 1 << 20 : 300_032;
        Qcow2Image.Create(storage, length, new Qcow2CreateOptions
        {
            Version = name == "version-2" ? 2 : 3,
            ClusterSize = clusterSize,
            RefcountBits = name.EndsWith("-64", StringComparison.Ordinal) || name == "table-grows" ? 64 : name.EndsWith("-1", StringComparison.Ordinal) ? 1 : 16,
            ExtendedL2 = name.StartsWith("extended", StringComparison.Ordinal),
            CompressionType = name == "zstd" ? CompressionType.Zstd : CompressionType.Deflate,
            BackingFile = hasBacking ? "base.raw" : null,
            BackingFormat = hasBacking ? "raw" : null,
        }).Dispose();
        return storage;
    }

    /// <summary>Writes and flushes, with what was known to be on the disk when.</summary>
    private sealed class Workload(DiskModel model, WriteLog log)
    {
        private readonly List<(int Begin, int Offset, byte[] Data)> _writes = [];
        private readonly List<(int Begin, int End, int Size)> _resizes = [];
        private readonly List<(int End, int Writes, byte[] Content)> _flushes = [(0, 0, [.. model.Content])];

        internal WriteLog Log => log;

        private static void Retry(Action action)
        {
            while (Record.Exception(action) is Exception error)
            {
                Assert.IsType<IOException>(error); // Only what fails at random does.
            }
        }

        internal void Step(Qcow2Image image, bool resizes)
        {
            if (resizes && model.Random.Next(6) == 0)
            {
                int size = model.Random.Next(MostResizedBytes) + 1;
                size = model.Random.Next(2) == 0 ? size : (size + SectorSize - 1) & ~(SectorSize - 1);
                int begin = log.Count;
                Retry(model.NextResize(image, size));
                _resizes.Add((begin, log.Count, size));
                _flushes.Add((log.Count, _writes.Count, [.. model.Content]));
                return;
            }

            if (model.Random.Next(4) == 0)
            {
                Retry(image.Flush);
                _flushes.Add((log.Count, _writes.Count, [.. model.Content]));
                return;
            }

            (int offset, byte[] data) = model.NextWrite();
            data = data.Length > 40_000 ? data[..40_000] : data;
            switch (model.Random.Next(8))
            {
                case 0:
                    Array.Clear(data);
                    _writes.Add((log.Count, offset, data));
                    bool keep = model.Random.Next(2) == 0;
                    Retry(() => image.WriteZeroes(offset, data.Length, keep));
                    break;
                case 1:
                    (offset, data) = WholeClusters(image, offset, data.Length);
                    _writes.Add((log.Count, offset, data));
                    Retry(() => image.Discard(offset, data.Length));
                    break;
                case 2:
                    (offset, data) = CompressibleCluster(image, offset);
                    _writes.Add((log.Count, offset, data));
                    Retry(() => image.WriteCompressed(offset, data));
                    break;
                default:
                    _writes.Add((log.Count, offset, data));
                    Retry(() => image.Write(offset, data));
                    break;
            }

            data.CopyTo(model.Content, offset);
        }

        /// <summary>What a discard of whole clusters leaves: zeros.</summary>
        private static (int Offset, byte[] Zeros) WholeClusters(Qcow2Image image, int offset, int length)
        {
            int clusterSize = image.Header.ClusterSize;
            int start = offset / clusterSize * clusterSize;
            int end = (int)Math.Min(image.Length, (long)(offset + length + clusterSize - 1) / clusterSize * clusterSize);
            return (start, new byte[end - start]);
        }

        private (int Offset, byte[] Data) CompressibleCluster(Qcow2Image image, int offset)
        {
            int clusterSize = image.Header.ClusterSize;
            int start = offset / clusterSize * clusterSize;
            byte[] data = new byte[Math.Min(clusterSize, image.Length - start)];
            for (int i = 0; i < data.Length; i += 1 + model.Random.Next(40))
            {
                data[i] = (byte)model.Random.Next(256);
            }

            return (start, data);
        }

        internal void AssertSurvived(byte[] content, int at, string label)
        {
            (int _, int written, byte[] flushed) = _flushes.Last(flush => flush.End <= at);
            if (content.Length != flushed.Length)
            {
                // While it is resized a disk has one size or the other; what it gains is zeros.
                Assert.True(
                    _resizes.Any(resize => resize.Begin < at && at <= resize.End && resize.Size == content.Length), $"{label}: {content.Length} bytes.");
                flushed = [.. flushed.AsSpan(0, Math.Min(flushed.Length, content.Length)), .. new byte[Math.Max(0, content.Length - flushed.Length)]];
            }

            List<(int Begin, int Offset, byte[] Data)> since = [.. _writes.Skip(written).TakeWhile(write => write.Begin < at)];
            for (int start = 0; start < content.Length; start += SectorSize)
            {
                int length = Math.Min(SectorSize, content.Length - start);
                ReadOnlySpan<byte> found = content.AsSpan(start, length);
                byte[] version = flushed.AsSpan(start, length).ToArray();
                bool isKnown = found.SequenceEqual(version);
                foreach ((_, int offset, byte[] data) in since)
                {
                    int from = Math.Max(start, offset);
                    int to = Math.Min(start + length, offset + data.Length);
                    if (!isKnown && from < to)
                    {
                        data.AsSpan(from - offset, to - from).CopyTo(version.AsSpan(from - start));
                        isKnown = found.SequenceEqual(version);
                    }
                }

                Assert.True(isKnown, $"{label}: the sector at 0x{start:x} holds neither what was flushed nor what was written since.");
            }
        }
    }
}

using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Creation;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <summary>
/// The host refuses one read, write or flush, or all from one on until space is made: the caller is told, the image is
/// consistent at once, and trying again works.
/// </summary>
public sealed class FaultTests : IDisposable
{
    private const int MostFaults = 100_000;
    private const int SmallDisk = 300_032;

    private readonly TempFolder _folder = new();

    public enum Fault
    {
        Read,
        Write,
        ShortWrite,
        NoSpace,
        Flush,
        SetLength,
        PunchHole,
    }

    public static TheoryData<string, Fault> Cases
    {
        get
        {
            var cases = new TheoryData<string, Fault>();
            foreach (string name in (string[])["cluster-512", "table-grows", "cluster-4096", "extended", "zstd", "data-file", "data-file-raw", "fixture:snapshots", "fixture:deflate-4k"])
            {
                foreach (Fault fault in Enum.GetValues<Fault>())
                {
                    // Only an external data file is cut and lengthened, and it is not punched here.
                    if (fault != (name.StartsWith("data-file", StringComparison.Ordinal) ? Fault.PunchHole : Fault.SetLength))
                    {
                        cases.Add(name, fault);
                    }
                }
            }

            return cases;
        }
    }

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Cases))]
    public void Failure_at_any_call_leaves_a_consistent_image_that_can_be_written_on(string name, Fault fault)
    {
        (byte[] start, string path) = MakeImage(name);
        int at = 1;
        while (RunWithFault(name, start, path, fault, at))
        {
            Assert.True(++at < MostFaults);
        }

        Assert.True(at > 1 || fault == Fault.PunchHole, "Nothing failed.");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Flush_that_the_host_failed_is_never_reported_as_done(int failing)
    {
        (byte[] start, string path) = MakeImage("cluster-4096");
        var storage = new MemoryStorage(start, path) { HostFlush = new PageCacheFlush(path) };
        Qcow2Image image = Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true });
        image.Write(0, new byte[] { 1 });
        image.Flush();
        image.Write(8192, new byte[] { 2 });
        int flushes = 0;
        storage.BeforeFlush = () =>
        {
            if (++flushes == failing)
            {
                throw new IOException("Input/output error");
            }
        };

        if (failing == 3)
        {
            image.Flush(); // Two of the host's.
            image.Write(0, new byte[] { 1 });
        }

        for (int i = 0; i < 3; i++)
        {
            var error = Assert.Throws<IOException>(image.Flush);
            Assert.Contains("Input/output error", error.Message, StringComparison.Ordinal);
            Assert.Contains("may be lost", error.Message, StringComparison.Ordinal);
            Audit(storage, $"flush {i}");
        }

        Assert.Throws<IOException>(image.Dispose);
        Assert.Equal(failing, flushes);
        Assert.True(storage.IsDisposed);

        var reopened = new MemoryStorage(storage.Content, path) { HostFlush = new PageCacheFlush(path) };
        using Qcow2Image again = Qcow2Image.Open(reopened, new Qcow2OpenOptions { Writable = true });
        byte[] first = new byte[1];
        again.Read(0, first);
        Assert.Equal(1, first[0]);
        again.Write(8192, new byte[] { 2 });
        again.Flush();
    }

    /// <returns>False if the workload ended before the fault.</returns>
    private static bool RunWithFault(string name, byte[] start, string path, Fault fault, int at)
    {
        string label = $"{name}, {fault} {at}";
        var storage = new MemoryStorage([.. start], path);
        int seed = TestRounds.Seed(name);
        int calls = 0;
        bool isArmed = false;
        bool hasFailed = false;

        void Count(Action? first = null)
        {
            if (isArmed && (++calls == at || (fault == Fault.NoSpace && calls > at)))
            {
                hasFailed = true;
                first?.Invoke();
                throw new IOException($"Fault {at}.");
            }
        }

        void Prepare(MemoryStorage file)
        {
            switch (fault)
            {
                case Fault.Read:
                    file.BeforeRead = (_, _) => Count();
                    break;
                case Fault.Flush:
                    file.BeforeFlush = () => Count();
                    break;
                case Fault.SetLength:
                    file.BeforeSetLength = _ => Count();
                    break;
                case Fault.PunchHole:
                    file.BeforePunchHole = (_, _) => Record.Exception(() => Count()) is null;
                    break;
                case Fault.ShortWrite:
                    file.Written = (offset, data) => Count(() =>
                    {
                        file.Written = null;
                        file.Write(offset, data.AsSpan(0, data.Length / 2));
                    });
                    break;
                default:
                    file.BeforeWrite = (offset, length) =>
                    {
                        if (fault != Fault.NoSpace || offset + length > file.Length)
                        {
                            Count();
                        }
                    };
                    break;
            }
        }

        DiskModel model;
        Dictionary<string, byte[]> snapshots;
        Prepare(storage);
        MemoryStorage? dataFile = DataFileFor(name);
        if (dataFile is not null)
        {
            Prepare(dataFile);
        }

        using (Qcow2Image image = Open(storage, dataFile))
        {
            model = new DiskModel(DiskModel.ReadAll(image), Math.Min(image.Header.ClusterSize, 4096), seed, label);
            snapshots = ReadSnapshots(image);
            isArmed = true;
            for (int i = 0; i < TestRounds.Times(20); i++)
            {
                Action act = (i % 5) switch
                {
                    4 => image.Flush,
                    2 when fault == Fault.SetLength => model.NextResize(image, model.NextSize()),
                    2 when fault == Fault.PunchHole => model.NextDiscard(image),
                    _ => model.NextOperation(image, canResize: true),
                };
                bool failedBefore = hasFailed;
                Exception? error = Record.Exception(act);
                if (error is not null)
                {
                    Assert.IsType<IOException>(error);
                    Audit(storage, label);
                    isArmed = false;
                    act();
                }
                else if (fault != Fault.PunchHole)
                {
                    // A hole that could not be punched is space not given back, and nothing else.
                    Assert.True(failedBefore == hasFailed, $"{label}: the failure was swallowed.");
                }
            }

            isArmed = false;
            image.Flush();
            model.AssertEqual(image);
        }

        Assert.True(Audit(storage, label) == 0, $"{label}: leaks after a clean close.");
        if (name == "data-file-raw")
        {
            model.AssertEqual(dataFile!.Content);
        }

        using (Qcow2Image again = Open(new MemoryStorage(storage.Content, path), dataFile))
        {
            model.AssertEqual(again);
            Assert.All(ReadSnapshots(again), pair => Assert.True(pair.Value.AsSpan().SequenceEqual(snapshots[pair.Key])));
        }

        return hasFailed;
    }

    private static MemoryStorage? DataFileFor(string name)
        => name.StartsWith("data-file", StringComparison.Ordinal) ? new MemoryStorage(new byte[SmallDisk]) : null;

    private static Qcow2Image Open(MemoryStorage storage, MemoryStorage? dataFile)
        => dataFile is not null
            ? Qcow2Image.OpenBorrowed(storage, dataFile, null, null, 4L << 20)
            : Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true, L2CacheSize = 1 });

    private static int Audit(MemoryStorage storage, string label)
    {
        ImageAuditor audit = ImageAuditor.Audit(storage.Content);
        Assert.True(audit.Corruptions.Count == 0, $"{label}: {string.Join('\n', audit.Corruptions.Take(5))}");
        return audit.Leaks;
    }

    private static Dictionary<string, byte[]> ReadSnapshots(Qcow2Image image)
        => image.Snapshots.ToDictionary(snapshot => snapshot.Id, snapshot => DiskModel.ReadAll(image.OpenSnapshot(snapshot)));

    private (byte[] Start, string Path) MakeImage(string name)
    {
        if (name.StartsWith("fixture:", StringComparison.Ordinal))
        {
            Fixture fixture = Fixtures.Get(name["fixture:".Length..]);
            return (File.ReadAllBytes(fixture.Path), _folder.File(fixture.File));
        }

        var storage = new MemoryStorage([]);
        bool grows = name == "table-grows";
        MemoryStorage? dataFile = DataFileFor(name);
        ImageCreator.Create(storage, grows ? 3 << 20 : SmallDisk, new Qcow2CreateOptions
        {
            ClusterSize = name switch { "cluster-512" or "table-grows" => 512, "extended" => 16_384, _ => 4096 },
            ExtendedL2 = name == "extended",
            RefcountBits = grows ? 64 : 16,
            CompressionType = name == "zstd" ? CompressionType.Zstd : CompressionType.Deflate,
            DataFile = dataFile is null ? null : "data.raw",
            DataFileRaw = name == "data-file-raw",
        }, default);
        using (Qcow2Image image = Open(storage, dataFile))
        {
            if (grows)
            {
                image.Write(0, new byte[1_960_000]);
            }
        }

        return (storage.Content, "memory");
    }
}

using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Writing;

/// <summary>
/// The host refuses one read, write or flush, or all from one on until space is made: the caller is told, the image is
/// consistent at once, and trying again works.
/// </summary>
public sealed class FaultTests : IDisposable
{
    private const int MostFaults = 100_000;

    private readonly TempFolder _folder = new();

    public enum Fault
    {
        Read,
        Write,
        ShortWrite,
        NoSpace,
        Flush,
    }

    public static TheoryData<string, Fault> Cases
    {
        get
        {
            var cases = new TheoryData<string, Fault>();
            foreach (string name in (string[])["cluster-512", "table-grows", "cluster-4096", "extended", "fixture:snapshots", "fixture:deflate-4k"])
            {
                foreach (Fault fault in Enum.GetValues<Fault>())
                {
                    cases.Add(name, fault);
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

        Assert.True(at > 1, "Nothing failed.");
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

        switch (fault)
        {
            case Fault.Read:
                storage.BeforeRead = (_, _) => Count();
                break;
            case Fault.Flush:
                storage.BeforeFlush = () => Count();
                break;
            case Fault.ShortWrite:
                storage.Written = (offset, data) => Count(() =>
                {
                    storage.Written = null;
                    storage.Write(offset, data.AsSpan(0, data.Length / 2));
                });
                break;
            default:
                storage.BeforeWrite = (offset, length) =>
                {
                    if (fault != Fault.NoSpace || offset + length > storage.Length)
                    {
                        Count();
                    }
                };
                break;
        }

        DiskModel model;
        Dictionary<string, byte[]> snapshots;
        using (Qcow2Image image = Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true, L2CacheSize = 1 }))
        {
            model = new DiskModel(DiskModel.ReadAll(image), Math.Min(image.Header.ClusterSize, 4096), seed, label);
            snapshots = ReadSnapshots(image);
            isArmed = true;
            for (int i = 0; i < TestRounds.Times(20); i++)
            {
                Action act;
                if (i % 5 == 4)
                {
                    act = image.Flush;
                }
                else
                {
                    (int offset, byte[] data) = model.NextWrite();
                    act = () => image.Write(offset, data);
                    data.CopyTo(model.Content, offset);
                }

                bool failedBefore = hasFailed;
                Exception? error = Record.Exception(act);
                if (error is not null)
                {
                    Assert.IsType<IOException>(error);
                    Audit(storage, label);
                    isArmed = false;
                    act();
                }
                else
                {
                    Assert.True(failedBefore == hasFailed, $"{label}: the failure was swallowed.");
                }
            }

            isArmed = false;
            image.Flush();
            model.AssertEqual(image);
        }

        Assert.True(Audit(storage, label) == 0, $"{label}: leaks after a clean close.");
        using (Qcow2Image again = Qcow2Image.Open(new MemoryStorage(storage.Content, path)))
        {
            model.AssertEqual(again);
            Assert.All(ReadSnapshots(again), pair => Assert.True(pair.Value.AsSpan().SequenceEqual(snapshots[pair.Key])));
        }

        return hasFailed;
    }

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
        using (Qcow2Image image = Qcow2Image.Create(storage, grows ? 3 << 20 : 300_032, new Qcow2CreateOptions
        {
            ClusterSize = name switch { "cluster-512" or "table-grows" => 512, "extended" => 16_384, _ => 4096 },
            ExtendedL2 = name == "extended",
            RefcountBits = grows ? 64 : 16,
        }))
        {
            if (grows)
            {
                image.Write(0, new byte[1_960_000]);
            }
        }

        return (storage.Content, "memory");
    }
}

using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Snapshots;

/// <summary>
/// The host refuses one read, write or flush, or all from one on, while snapshots are changed: the caller is told, what there was
/// still is there, and trying again works.
/// </summary>
public sealed class SnapshotFaultTests : IDisposable
{
    private const int MostFaults = 10_000;

    private readonly TempFolder _folder = new();

    public enum Fault
    {
        Read,
        Write,
        ShortWrite,
        AllWrites,
        NoSpace,
        Flush,
        AllFlushes,
    }

    public static TheoryData<string, Fault> Cases
    {
        get
        {
            var cases = new TheoryData<string, Fault>();
            foreach (string name in (string[])["new", "fixture:snapshots", "fixture:snapshots-extl2"])
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
    public void Failure_at_any_call_leaves_what_there_was(string name, Fault fault)
    {
        byte[] start;
        if (name == "new")
        {
            var storage = new MemoryStorage([]);
            Qcow2Image.Create(storage, 150_016, new Qcow2CreateOptions { ClusterSize = 4096 }).Dispose();
            start = storage.Content;
        }
        else
        {
            start = File.ReadAllBytes(Fixtures.Get(name["fixture:".Length..]).Path);
        }

        int at = 1;
        while (RunWithFault(name, start, fault, at))
        {
            // Each of the first calls, then ever fewer; all of them in a longer run.
            at += TestRounds.Times(1) > 1 ? 1 : 1 + (at / 16);
            Assert.True(at < MostFaults);
        }

        Assert.True(at > 1, "Nothing failed.");
    }

    /// <returns>False if the work ended before the fault.</returns>
    private bool RunWithFault(string name, byte[] start, Fault fault, int at)
    {
        string label = $"{name}, {fault} {at}";
        var storage = new MemoryStorage([.. start], _folder.File("image.qcow2"));
        var random = new Random(TestRounds.Seed(name));
        int calls = 0;
        bool isArmed = false;
        bool hasFailed = false;

        void Count(Action? first = null)
        {
            if (isArmed && (++calls == at || (calls > at && fault is Fault.NoSpace or Fault.AllWrites or Fault.AllFlushes)))
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
            case Fault.Flush or Fault.AllFlushes:
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

        SnapshotModel expected;
        using (Qcow2Image image = Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true, L2CacheSize = 1 }))
        {
            var work = new SnapshotWork(image, SnapshotModel.Read(image), random);
            for (int i = 0; i < 6; i++)
            {
                work.WriteStep();
                image.Flush();
                Action step = work.SnapshotStep(3);
                SnapshotModel before = work.Model;
                isArmed = true;
                Exception? error = Record.Exception(step);
                isArmed = false;
                if (error is not null)
                {
                    Assert.IsType<IOException>(error);
                    Assert.True(SnapshotModel.Read(image).IsSame(before), $"{label}: the failed step {i} changed something.");
                    AssertOldOrNew(storage, work, before, step, label);
                }
            }

            work.AssertEqual(label);
            expected = work.Model;
        }

        Assert.True(Audit(storage, label) == 0, $"{label}: leaks after a clean close.");
        using Qcow2Image again = Qcow2Image.Open(new MemoryStorage(storage.Content, storage.Path));
        Assert.True(SnapshotModel.Read(again).IsSame(expected), label);
        return hasFailed;
    }

    /// <summary>What lies on the disk when the step has failed is the old image or the new one; then it succeeds.</summary>
    private static void AssertOldOrNew(MemoryStorage storage, SnapshotWork work, SnapshotModel before, Action step, string label)
    {
        Audit(storage, label);
        byte[] failed = [.. storage.Content];
        step();
        using Qcow2Image onDisk = Qcow2Image.Open(new MemoryStorage(failed, storage.Path));
        var found = SnapshotModel.Read(onDisk);
        Assert.True(found.IsSame(before) || found.IsSame(work.Model), $"{label}: the disk has neither the old image nor the new.");
    }

    private static int Audit(MemoryStorage storage, string label)
    {
        ImageAuditor audit = ImageAuditor.Audit(storage.Content);
        Assert.True(audit.Corruptions.Count == 0, $"{label}: {string.Join('\n', audit.Corruptions.Take(5))}");
        return audit.Leaks;
    }
}

using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Snapshots;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;
using Xunit.Abstractions;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Amending;

/// <summary>
/// Whatever part of the writes since the last flush a crash leaves, and whichever call the host refuses: the image shows what it showed,
/// each thing that was to change is as it was or as it is to be, and the work can be done again.
/// </summary>
public sealed class AmendCrashTests(ITestOutputHelper output)
{
    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            foreach ((string image, string words) in AmendCase.All.Where(one => one.Image is not ("luks" or "built-luks" or "aes-v2")))
            {
                cases.Add(image, words);
            }

            return cases;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Crash_leaves_the_old_or_the_new(string image, string words)
    {
        AmendCase one = AmendCase.Of(image, words);
        int seed = TestRounds.Seed($"{image} {words}");
        var random = new Random(seed);
        byte[] start = one.Start.Content;
        SnapshotModel model = one.Read(start);
        MemoryStorage storage = one.Storage();
        var log = new WriteLog(storage);
        ImageAmend.Amend(storage, one.Options);
        HashSet<string> said = [.. Fields(start), .. Fields(storage.Content)];
        int tried = 0;
        foreach ((int at, byte[] file) in log.Crashes(random, TestRounds.Times(3)))
        {
            string label = $"{image}, {words}, QCOW2_TEST_SEED={seed}, crash {++tried} after write {at} of {log.Count}";
            if (image != "bit-dirty")
            {
                AmendCase.Audit(file, label); // The counts of that one are wrong to begin with.
            }

            Assert.True(one.Read(file).IsSame(model), $"{label}: the disk or a snapshot changed.");
            Assert.True(Fields(file).All(said.Contains), $"{label}: {string.Join(", ", Fields(file))}");
            if (tried % 4 == 1)
            {
                AssertGoesOn(one, file, model, label);
            }
        }

        output.WriteLine($"{image}, {words}: {tried} crash points.");
    }

    [Theory, MemberData(nameof(Cases))]
    public void Failure_at_any_write_or_flush_leaves_the_old_or_the_new(string image, string words)
    {
        AmendCase one = AmendCase.Of(image, words);
        byte[] start = one.Start.Content;
        SnapshotModel model = one.Read(start);
        MemoryStorage whole = one.Storage();
        ImageAmend.Amend(whole, one.Options);
        HashSet<string> said = [.. Fields(start), .. Fields(whole.Content)];
        for (int at = 1; ; at += 1 + (at / 16))
        {
            string label = $"{image}, {words}, fault {at}";
            MemoryStorage storage = one.Storage();
            int calls = 0;
            void Count()
            {
                if (++calls == at)
                {
                    throw new IOException($"Fault {at}.");
                }
            }

            storage.BeforeWrite = (_, _) => Count();
            storage.BeforeFlush = Count;
            storage.BeforeSetLength = _ => Count();
            Exception? error = Record.Exception(() => ImageAmend.Amend(storage, one.Options));
            if (error is null)
            {
                return;
            }

            Assert.IsType<IOException>(error);
            if (image != "bit-dirty")
            {
                AmendCase.Audit(storage.Content, label);
            }

            Assert.True(one.Read(storage.Content).IsSame(model), $"{label}: the disk or a snapshot changed.");
            Assert.True(Fields(storage.Content).All(said.Contains), $"{label}: {string.Join(", ", Fields(storage.Content))}");
            AssertGoesOn(one, storage.Content, model, label);
        }
    }

    private static void AssertGoesOn(AmendCase one, byte[] file, SnapshotModel model, string label)
    {
        MemoryStorage again = one.Storage(file);
        ImageAmend.Amend(again, one.Options);
        AmendCase.Audit(again.Content, $"{label}, gone on");
        Assert.True(one.Read(again.Content).IsSame(model), $"{label}, gone on: the disk or a snapshot changed.");
        Qcow2Header header = Qcow2Header.Parse(again.Content);
        Assert.Equal(one.Options.RefcountBits ?? header.RefcountOrder.Bits, header.RefcountOrder.Bits);
        Assert.Equal(one.Options.Version ?? header.Version, header.Version);
    }

    private static IEnumerable<string> Fields(byte[] file)
    {
        Qcow2Header header = Qcow2Header.Parse(file);
        return
        [
            $"version {header.Version}", $"{header.RefcountOrder.Bits} bits", $"{header.IncompatibleFeatures}", $"compatible {header.CompatibleFeatures}", $"autoclear {header.AutoclearFeatures}",
            $"{header.Size} bytes", $"{header.SnapshotCount} snapshots", $"backing {header.BackingFile}", $"data {header.Extension<DataFileNameExtension>()?.FileName}",
            .. AmendCase.Others(header).Where(other => !other.StartsWith("534b4950", StringComparison.Ordinal)),
        ];
    }
}

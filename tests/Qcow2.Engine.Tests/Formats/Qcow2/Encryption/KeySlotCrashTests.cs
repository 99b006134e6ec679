using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Xunit.Abstractions;
using static Qcow2.Engine.Tests.Formats.Qcow2.Encryption.KeySlotImage;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

/// <summary>
/// Whatever part of the writes since the last flush a crash leaves, sector by sector, and whichever call the host refuses: the old passphrase opens the image or
/// the new one, all others open it, the disk is what it was, and the change can be made again.
/// </summary>
public sealed class KeySlotCrashTests(ITestOutputHelper output)
{
    /// <summary>Slot 6 is the one whose entry lies in two sectors.</summary>
    public static TheoryData<string> Cases => new()
    {
        "add 1", "add 6", "add 7 force", "change 0", "change 6", "change 6 twice", "change 7 full twice", "change 2 others force", "remove 6", "remove 0", "remove 1 2 6",
    };

    [Theory, MemberData(nameof(Cases))]
    public void Crash_leaves_the_old_passphrase_or_the_new(string words)
    {
        using Case one = new(words);
        int seed = TestRounds.Seed(words);
        var random = new Random(seed);
        MemoryStorage storage = one.Image.Storage();
        var log = new WriteLog(storage);
        one.Run(storage);
        one.AssertDone(storage.Content, words);
        int tried = 0;
        foreach ((int at, byte[] file) in log.Crashes(random, TestRounds.Times(2)))
        {
            one.AssertOpens(file, $"{words}, QCOW2_TEST_SEED={seed}, crash {++tried} after write {at} of {log.Count}", goesOn: tried % 8 == 1);
        }

        output.WriteLine($"{words}: {tried} crash points.");
        Assert.InRange(tried, 6, int.MaxValue);
    }

    [Theory, MemberData(nameof(Cases))]
    public void Failure_at_any_call_leaves_the_old_passphrase_or_the_new(string words)
    {
        using Case one = new(words);
        for (int at = 1; ; at++)
        {
            MemoryStorage storage = one.Image.Storage();
            int calls = 0;
            void Count()
            {
                if (++calls == at)
                {
                    throw new IOException($"Fault {at}.");
                }
            }

            storage.BeforeRead = (_, _) => Count();
            storage.BeforeWrite = (_, _) => Count();
            storage.BeforeFlush = Count;
            Exception? error = Record.Exception(() => one.Run(storage));
            if (error is null)
            {
                Assert.InRange(at, 10, 1000);
                output.WriteLine($"{words}: {at - 1} calls.");
                return;
            }

            Assert.IsAssignableFrom<IOException>(error);
            one.AssertOpens(storage.Content, $"{words}, fault {at}", goesOn: at % 8 == 1);
        }
    }

    private sealed class Case : IDisposable
    {
        private readonly string _kind;
        private readonly int[] _slots;
        private readonly bool _force;
        private readonly int[] _before;

        internal Case(string words)
        {
            string[] parts = words.Split(' ');
            _kind = parts[0];
            _slots = [.. parts.Skip(1).Where(part => char.IsAsciiDigit(part[0])).Select(part => part[0] - '0')];
            _force = parts.Contains("force");
            int slot = _slots[0];
            IEnumerable<int> others = _kind == "add" && !_force ? [2] : parts.Contains("full") ? [1, 2, 3, 4, 5, 6] : [1, 2, 6, 7];
            Image = new KeySlotImage().Fill([.. others]);
            if (parts.Contains("twice"))
            {
                string same = Old = parts.Contains("full") ? "six" : Name(slot);
                Image.With(storage => ImageKeySlots.Add(storage, Image["zero"], Image[same], Quick with { KeySlot = parts.Contains("full") ? 7 : 5 }));
            }
            else
            {
                Old = Name(slot);
            }

            _before = Active(Image.Content);
        }

        internal KeySlotImage Image { get; }

        /// <summary>What is changed or removed.</summary>
        private string Old { get; }

        internal void Run(MemoryStorage storage)
        {
            if (_kind == "add")
            {
                ImageKeySlots.Add(storage, Image["two"], Image["new"], Quick with { KeySlot = _slots[0], Force = _force });
            }
            else if (_kind == "change")
            {
                ImageKeySlots.Change(storage, Image[_force ? "zero" : Old], Image["new"], Quick with { KeySlot = _force ? _slots[0] : null, Force = _force });
            }
            else
            {
                ImageKeySlots.Remove(storage, _slots);
            }
        }

        internal void AssertDone(byte[] file, string label)
        {
            if (_kind == "remove")
            {
                Assert.Equal(_before.Except(_slots), Active(file));
            }
            else
            {
                Assert.True(Image.Opens(file, "new"), label);
            }

            Assert.True(_kind == "add" && !_force || !Image.Opens(file, Old), label);
            Assert.Empty(ImageAuditor.Audit(file).Corruptions);
        }

        internal void AssertOpens(byte[] file, string label, bool goesOn)
        {
            Assert.True(_kind == "remove" || _kind == "add" && !_force || Image.Opens(file, Old) || Image.Opens(file, "new"), $"{label}: neither.");
            foreach (string other in ((string[])["zero", "one", "two"]).Where((name, slot) => _before.Contains(slot) && name != Old && !_slots.Contains(slot)).Take(1))
            {
                Assert.True(Image.Opens(file, other), $"{label}: {other} does not open.");
            }

            // The header says of each slot what it was or what it is to be, so that the work can be done again.
            MemoryStorage again = new([.. file], "slots.qcow2");
            if (_kind == "remove")
            {
                int[] left = [.. _slots.Where(slot => Active(file).Contains(slot))];
                ImageKeySlots.Remove(again, left);
                AssertDone(again.Content, label);
                return;
            }

            string opener = _kind == "add" ? "two" : _force ? "zero" : Image.Opens(file, Old) ? Old : "new";
            int? slot = _kind == "add" || _force ? _slots[0] : null;
            if (_kind == "change" && _force && !Active(file).Contains(_slots[0]))
            {
                (opener, slot) = ("new", null); // It is in the other slot until it can be in this one.
            }

            bool force = _force || (_kind == "add" && Active(file).Contains(_slots[0]));
            if (!goesOn)
            {
                return;
            }

            if (_kind == "add")
            {
                ImageKeySlots.Add(again, Image[opener], Image["new"], Quick with { KeySlot = slot, Force = force });
            }
            else
            {
                ImageKeySlots.Change(again, Image[opener], Image["new"], Quick with { KeySlot = slot, Force = true });
            }

            AssertDone(again.Content, $"{label}, gone on");
        }

        public void Dispose() => Image.Dispose();
    }
}

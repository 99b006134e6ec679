using System.Buffers.Binary;
using System.Text.Json;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>Every damaged image, repaired: what is left, what became of the data, and what a crash in between does.</summary>
public sealed class RepairTableTests
{
    public static TheoryData<string> Names => [.. CorruptionCases.All.Select(made => made.Name)];

    [Theory, MemberData(nameof(Names))]
    public void Repair_of_all_leaves_a_sound_image_with_its_data(string name)
    {
        CorruptionCase made = CorruptionCases.Get(name);
        byte[] broken = made.Make().Bytes;
        var storage = new MemoryStorage([.. broken]);
        Qcow2CheckResult result;
        try
        {
            result = Qcow2Repairer.Repair(storage, Qcow2RepairMode.All);
        }
        catch (Qcow2Exception) when (!Qcow2Checker.Check(new MemoryStorage(broken)).IsHealthy)
        {
            // Its header cannot be understood, so nothing may be changed.
            Assert.Equal(broken, storage.Content);
            return;
        }

        byte[] repaired = [.. storage.Content];
        Assert.Equal(CheckNumbers.Of(Qcow2Checker.Check(new MemoryStorage(repaired))), CheckNumbers.Of(result));
        Assert.True(made.IsBeyondRepair == !result.IsHealthy, $"{result}: {string.Join(" ", result.Findings.Take(3))}");
        if (result.IsHealthy)
        {
            AssertQemuFindsNothing(made, repaired);
        }

        AssertSameData(made, broken, repaired);
        AssertRepairedAgainChangesNothing(repaired);
    }

    [Theory, MemberData(nameof(Names))]
    public void Repair_on_a_device_does_as_much_and_stays_inside_it(string name)
    {
        CorruptionCase made = CorruptionCases.Get(name);
        byte[] garbage = new byte[3 << 20];
        new Random(1).NextBytes(garbage); // A device that is longer than the image holds anything.
        byte[] broken = made.Make().Bytes;
        broken = [.. broken, .. new byte[-broken.Length & 0xffff], .. garbage];
        var file = new MemoryStorage([.. broken]);
        var device = new DeviceStorage([.. broken]) { IsFixed = true };
        Qcow2CheckResult onFile;
        try
        {
            onFile = Qcow2Repairer.Repair(file, Qcow2RepairMode.All);
        }
        catch (Qcow2Exception)
        {
            Assert.ThrowsAny<Qcow2Exception>(() => Qcow2Repairer.Repair(device, Qcow2RepairMode.All));
            return;
        }

        Qcow2CheckResult result = Qcow2Repairer.Repair(device, Qcow2RepairMode.All);

        Assert.Equal(
            (onFile.Corruptions, onFile.Leaks, onFile.CheckErrors, onFile.AllocatedClusters),
            (result.Corruptions, result.Leaks, result.CheckErrors, result.AllocatedClusters));
        Assert.Equal(broken.Length, device.Length);
        AssertSameData(made, broken, device.Content);
    }

    [Fact]
    public void Repair_says_that_a_device_has_no_room_and_changes_nothing()
    {
        var file = new MemoryStorage([]);
        Qcow2Image.Create(file, 10 << 20).Dispose();
        byte[] broken = file.Content;
        broken.AsSpan((int)BinaryPrimitives.ReadInt64BigEndian(broken.AsSpan(48)), 8).Clear(); // The refcount table's only entry.
        var device = new DeviceStorage([.. broken]) { IsFixed = true };

        IOException error = Assert.ThrowsAny<IOException>(() => Qcow2Repairer.Repair(device, Qcow2RepairMode.All));

        Assert.Contains($"the device has {device.Length}: make it larger", error.Message, StringComparison.Ordinal);
        Assert.Equal(broken, device.Content);
    }

    [Theory, MemberData(nameof(Names))]
    public void Repair_of_leaks_changes_no_data_and_makes_nothing_worse(string name)
    {
        CorruptionCase made = CorruptionCases.Get(name);
        byte[] broken = made.Make().Bytes;
        var storage = new MemoryStorage([.. broken]);
        try
        {
            Qcow2CheckResult result = Qcow2Repairer.Repair(storage, Qcow2RepairMode.Leaks);
            Assert.True(result.Corruptions <= result.Before!.Corruptions);
            Assert.True(result.Leaks <= result.Before.Leaks);
            Assert.True(result.Before.Corruptions + result.Before.CheckErrors > 0 || result.Leaks == 0);
        }
        catch (Qcow2Exception)
        {
            Assert.Equal(broken, storage.Content);
        }

        AssertSameData(made, broken, storage.Content);
    }

    [Theory, MemberData(nameof(Names))]
    public void Repair_can_be_cut_off_anywhere(string name)
    {
        CorruptionCase made = CorruptionCases.Get(name);
        byte[] broken = made.Make().Bytes;
        var storage = new MemoryStorage([.. broken]);
        var log = new WriteLog(storage);
        CheckNumbers whole;
        try
        {
            whole = CheckNumbers.Of(Qcow2Repairer.Repair(storage, Qcow2RepairMode.All));
        }
        catch (Qcow2Exception)
        {
            return;
        }

        int seed = TestRounds.Seed(name);
        foreach ((int at, byte[] file) in log.Crashes(new Random(seed), TestRounds.Times(2)))
        {
            var cut = new MemoryStorage([.. file]);
            Qcow2CheckResult again = Qcow2Repairer.Repair(cut, Qcow2RepairMode.All);
            Assert.True(
                (whole.Corruptions, whole.Leaks, whole.CheckErrors) == (again.Corruptions, again.Leaks, again.CheckErrors),
                $"Cut after event {at}, seed {seed}: {again}");
            AssertSameData(made, broken, cut.Content);
        }
    }

    private static void AssertRepairedAgainChangesNothing(byte[] repaired)
    {
        var storage = new MemoryStorage([.. repaired]) { BeforeWrite = (offset, _) => Assert.Fail($"Written at 0x{offset:x}, though all was repaired.") };
        Qcow2Repairer.Repair(storage, Qcow2RepairMode.All);
    }

    private static void AssertQemuFindsNothing(CorruptionCase made, byte[] repaired)
    {
        if (!QemuImg.IsAvailable)
        {
            return;
        }

        using var folder = new TempFolder();
        string path = folder.Write("image.qcow2", repaired);
        folder.Write("data.raw", new byte[16 * 4096]);
        ProgramResult qemu = QemuImg.TryRunIn(folder.Path, ["check", "-f", "qcow2", "--output=json", path]);
        Assert.True(qemu.ExitCode == 0, $"{made.Name}: {qemu.Error}{qemu.Output}");
        using JsonDocument json = JsonDocument.Parse(qemu.Output);
        CheckNumbers numbers = CheckNumbers.Of(json);
        Assert.Equal((0, 0, 0), (numbers.Corruptions, numbers.Leaks, numbers.CheckErrors));
    }

    private static void AssertSameData(CorruptionCase made, byte[] broken, byte[] repaired)
    {
        if (!made.HasDataFile)
        {
            ImageReader.AssertSame(ImageReader.Read(broken), ImageReader.Read(repaired));
        }
    }
}

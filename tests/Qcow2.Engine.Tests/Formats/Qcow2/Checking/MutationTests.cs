using System.Diagnostics;
using System.Text.Json;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>No bytes whatever crash us, hang us or make us allocate out of proportion. QCOW2_TEST_ROUNDS makes it longer.</summary>
public sealed class MutationTests
{
    /// <summary>Beyond this for an image of some megabytes, something is out of proportion; other tests run beside this one.</summary>
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(20);

    private const long MostMemory = 512L << 20;

    [Theory]
    [InlineData(0)]
    [InlineData(10_000_000)]
    public void Damaged_images_are_checked_read_and_repaired_or_refused(int start)
    {
        int seed = TestRounds.Seed("mutation") + start;
        for (int i = 0; i < TestRounds.Times(600); i++)
        {
            byte[] image = new ImageMutator(seed + i).Next();
            try
            {
                var watch = Stopwatch.StartNew();
                long allocated = GC.GetAllocatedBytesForCurrentThread();
                CheckReadAndRepair(image);
                allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
                Assert.True(watch.Elapsed < MostTime && allocated < MostMemory, $"It took {watch.Elapsed} and {allocated} bytes.");
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"QCOW2_TEST_SEED={seed + i} shows it.", e);
            }
        }
    }

    [QemuFact]
    public void Numbers_are_those_of_qemu_img()
    {
        using var folder = new TempFolder();
        folder.Write("data.raw", new byte[16 * 4096]);
        int seed = TestRounds.Seed(nameof(Numbers_are_those_of_qemu_img));
        int compared = 0;
        for (int i = 0; i < TestRounds.Times(150); i++)
        {
            byte[] image = new ImageMutator(seed + i).Next();
            string path = folder.Write("image.qcow2", image);
            ProgramResult qemu = QemuImg.TryRunIn(folder.Path, ["check", "-f", "qcow2", "--output=json", path]);
            if (!qemu.Output.TrimStart().StartsWith('{'))
            {
                continue; // Refused, or it crashed.
            }

            using JsonDocument json = JsonDocument.Parse(qemu.Output);
            Qcow2CheckResult ours = Qcow2Checker.Check(path, new Qcow2CheckOptions { MaxFindings = 100_000 });
            if (IsKnownDifference(ours))
            {
                continue;
            }

            compared++;
            Assert.True(CheckNumbers.Of(json) == CheckNumbers.Of(ours), $"QCOW2_TEST_SEED={seed + i}\n{CheckNumbers.Of(json)}\n{CheckNumbers.Of(ours)}\n{qemu.Error[..Math.Min(400, qemu.Error.Length)]}\n{string.Join("\n", ours.Findings.Take(3))}");
        }

        Assert.True(compared > 20, $"{compared} compared.");
    }

    /// <summary>Where QEMU sees less, takes zeros past the end for a table, or takes the header for one.</summary>
    private static bool IsKnownDifference(Qcow2CheckResult ours)
        => ours.Findings.Any(finding => (finding.Kind, finding.Severity) is
            (Qcow2CheckFindingKind.MetadataOverlap, Qcow2CheckSeverity.Corruption)
            or (Qcow2CheckFindingKind.RefcountTableDamaged, _)
            or (Qcow2CheckFindingKind.SnapshotTableDamaged, _)
            or (Qcow2CheckFindingKind.BitmapDirectoryDamaged, _)
            or (Qcow2CheckFindingKind.HeaderDamaged, _)
            or (Qcow2CheckFindingKind.FeatureUnknown, _)
            || (finding.Table.EndsWith("L1 table", StringComparison.Ordinal) && (finding.Found & 0x00ff_ffff_ffff_fe00) == 0));

    /// <summary>What a check calls healthy can be read, but for what needs another file or a passphrase, which the check then says.</summary>
    private static void AssertReadableIfHealthy(Qcow2CheckResult result, List<byte[]?>? disk)
    {
        bool needsMore = result.Findings.Any(finding => finding.Kind is Qcow2CheckFindingKind.ReferenceToOtherFile or Qcow2CheckFindingKind.PassphraseNeeded);
        if (result.IsHealthy && !needsMore)
        {
            Assert.True(disk is not null, "The image is healthy, and cannot be opened.");
            Assert.True(!disk.Contains(null) || result.CompressedClusters > 0, "The image is healthy, and cannot be read.");
        }
    }

    private static void CheckReadAndRepair(byte[] image)
    {
        Qcow2CheckResult before;
        try
        {
            before = Qcow2Checker.Check(new MemoryStorage([.. image]), new Qcow2CheckOptions { ThrottleLimit = 1 });
        }
        catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.NotQcow2)
        {
            return;
        }

        List<byte[]?>? disk = ImageReader.Read(image);
        AssertReadableIfHealthy(before, disk);
        var storage = new MemoryStorage([.. image]);
        try
        {
            Qcow2CheckResult after = Qcow2Repairer.Repair(storage, Qcow2RepairMode.All, new Qcow2CheckOptions { ThrottleLimit = 1 });
            Assert.Equal(CheckNumbers.Of(Qcow2Checker.Check(new MemoryStorage([.. storage.Content]))), CheckNumbers.Of(after));
        }
        catch (Qcow2Exception)
        {
            Assert.False(before.IsHealthy);
        }

        if (disk is not null && !before.Findings.Any(finding => finding.Kind is Qcow2CheckFindingKind.MetadataOverlap or Qcow2CheckFindingKind.RefcountBlockDamaged))
        {
            ImageReader.AssertSame(disk, ImageReader.Read(storage.Content));
        }
    }
}

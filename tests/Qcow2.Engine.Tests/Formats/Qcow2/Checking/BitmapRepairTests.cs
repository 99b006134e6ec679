using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>A repair removes bitmaps that are of no use, says so, and keeps the others.</summary>
public sealed class BitmapRepairTests
{
    private const uint InUse = 1;
    private const uint Auto = 2;

    [Fact]
    public void Bitmap_that_was_not_saved_is_information_and_removed_by_a_repair_of_all_alone()
    {
        byte[] bytes = Build([new("good"), new("lost", 16, InUse | Auto)]).Bytes;
        Qcow2CheckResult check = Qcow2Checker.Check(new MemoryStorage(bytes));
        Assert.True(check.IsHealthy);
        Assert.Equal([Qcow2CheckFindingKind.BitmapInconsistent], check.Findings.Select(finding => finding.Kind));

        var leaks = new MemoryStorage([.. bytes]);
        Qcow2Repairer.Repair(leaks, Qcow2RepairMode.Leaks);
        Assert.Equal(bytes, leaks.Content);

        var storage = new MemoryStorage([.. bytes]);
        Qcow2CheckResult result = Qcow2Repairer.Repair(storage, Qcow2RepairMode.All);
        Assert.True(result.IsHealthy);
        Assert.Contains(result.Findings, finding => finding.Severity == Qcow2CheckSeverity.Information && finding.Message.Contains("'lost' was removed", StringComparison.Ordinal));
        Assert.Equal(["good"], Names(storage));
        Assert.Equal((0, 0), (result.Corruptions, result.Leaks));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(360)] // The pointer to the directory lies in two sectors.
    public void Damaged_bitmap_goes_and_the_others_stay(int padding)
    {
        BuiltImage image = Build([new("a", 9), new("b", 16, 0)], padding);
        image.SetU64(image.BitmapTableOffsets[0], (uint)image.DataOffsets[0]);
        byte[] disk = Disk(image.Bytes);
        var storage = new MemoryStorage([.. image.Bytes]);
        Qcow2CheckResult result = Qcow2Repairer.Repair(storage, Qcow2RepairMode.All);
        Assert.True(result.IsHealthy, result.ToString());
        Assert.Equal(["b"], Names(storage));
        Assert.Equal(disk, Disk(storage.Content));
    }

    [Fact]
    public void Bitmaps_that_are_all_of_no_use_are_withdrawn()
    {
        var storage = new MemoryStorage([.. Build([new("a", 16, InUse), new("b", 16, InUse | Auto)]).Bytes]);
        Assert.True(Qcow2Repairer.Repair(storage, Qcow2RepairMode.All).IsHealthy);
        Assert.Empty(Names(storage));
        using Qcow2Image image = Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true });
        image.CreateBitmap("new");
        Assert.Equal(["new"], image.Bitmaps.Select(bitmap => bitmap.Name));
    }

    [QemuFact]
    public void Qemu_lists_what_is_left()
    {
        using var folder = new TempFolder();
        string path = folder.Write("image.qcow2", Build([new("good", 16, 0), new("lost", 16, InUse)]).Bytes);
        Qcow2Repairer.Repair(path, Qcow2RepairMode.All);
        Assert.Contains("No errors were found", QemuImg.Run("check", path), StringComparison.Ordinal);
        string info = QemuImg.Run("info", path);
        Assert.Contains("good", info, StringComparison.Ordinal);
        Assert.DoesNotContain("lost", info, StringComparison.Ordinal);
    }

    private static BuiltImage Build(BuilderBitmap[] bitmaps, int padding = 0) => new ImageBuilder
    {
        Size = 64 << 20,
        DataClusters = 2,
        Bitmaps = bitmaps,
        Extensions = padding == 0 ? [] : [(0x12345678, new byte[padding])],
    }.Build();

    private static string[] Names(MemoryStorage storage)
    {
        using Qcow2Image image = Qcow2Image.Open(new MemoryStorage([.. storage.Content]));
        return [.. image.Bitmaps.Select(bitmap => bitmap.Name)];
    }

    private static byte[] Disk(byte[] file)
    {
        using Qcow2Image image = Qcow2Image.Open(new MemoryStorage([.. file]));
        byte[] content = new byte[65536];
        image.Read(0, content);
        return content;
    }
}

using System.Diagnostics;
using System.Text.Json;
using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>Images whose last writer did not close them: their refcounts are repaired when they are opened for writing.</summary>
public sealed class DirtyImageTests
{
    [QemuTheory]
    [InlineData("")]
    [InlineData(",cluster_size=4096")]
    [InlineData(",refcount_bits=1")]
    [InlineData(",refcount_bits=64,cluster_size=512")]
    [InlineData(",extended_l2=on")]
    public void Image_of_a_killed_writer_is_repaired_and_keeps_its_data(string options)
    {
        using var folder = new TempFolder();
        string path = folder.File("disk.qcow2");
        QemuImg.Run("create", "-f", "qcow2", "-o", "lazy_refcounts=on" + options, path, "16M");
        QemuImg.TryRunIo("-f", "qcow2", "-c", "write -P 0x11 0 300k", "-c", "write -P 0x22 5M 64k", "-c", "flush", "-c", "abort", path);
        byte[] expected = QemuJudge.Read(path, folder)!;
        Assert.True(Qcow2ImageInfo.Read(path).IsDirty);
        Qcow2CheckResult before = Qcow2Checker.Check(path);
        Assert.True(before.IsDirty && before.Corruptions > 0);

        using (var image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true }))
        {
            Assert.False(image.Header.Has(IncompatibleFeatures.Dirty));
            byte[] disk = new byte[image.Length];
            image.Read(0, disk);
            Assert.Equal(expected, disk);
            Array.Fill(disk, (byte)0x33, 7_000_000, 200_000);
            image.Write(7_000_000, disk.AsSpan(7_000_000, 200_000));
            expected = disk;
        }

        AssertSound(path);
        Assert.Equal(expected, QemuJudge.Read(path, folder));
        Assert.False(Qcow2ImageInfo.Read(path).IsDirty);
    }

    [QemuFact]
    public void Image_of_a_writer_killed_while_it_writes_is_repaired()
    {
        using var folder = new TempFolder();
        for (int round = 0; round < TestRounds.Times(2); round++)
        {
            string path = folder.File($"disk{round}.qcow2");
            QemuImg.Run("create", "-f", "qcow2", "-o", "lazy_refcounts=on,cluster_size=4096", path, "256M");
            using (Process writer = Process.Start(new ProcessStartInfo("qemu-io", ["-f", "qcow2", path]) { RedirectStandardInput = true, RedirectStandardOutput = true })!)
            {
                writer.OutputDataReceived += (_, _) => { };
                writer.BeginOutputReadLine();
                try
                {
                    for (int i = 0; i < 2_000; i++)
                    {
                        writer.StandardInput.WriteLine($"aio_write -P {(i % 255) + 1} {(i * 7919L % 65_000) * 4096} 4k");
                        if (i == 500 + (400 * round))
                        {
                            writer.StandardInput.Flush();
                            Thread.Sleep(200);
                            writer.Kill();
                        }
                    }
                }
                catch (IOException)
                {
                    // It was killed.
                }

                writer.WaitForExit();
            }

            byte[] expected = QemuJudge.Read(path, folder)!;
            bool wasDirty = Qcow2ImageInfo.Read(path).IsDirty;
            using (var image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true }))
            {
                byte[] disk = new byte[image.Length];
                image.Read(0, disk);
                Assert.True(expected.AsSpan().SequenceEqual(disk), $"Round {round}, dirty {wasDirty}.");
            }

            Qcow2CheckResult result = Qcow2Checker.Check(path);
            Assert.True(result.Corruptions == 0 && (result.Leaks == 0 || !wasDirty), $"{result}");
        }
    }

    [Fact]
    public void Opening_for_reading_changes_nothing()
    {
        var storage = new MemoryStorage(Dirty().Bytes) { BeforeWrite = (_, _) => Assert.Fail("Written.") };
        using var image = Qcow2Image.Open(storage);
        byte[] cluster = new byte[4096];
        image.Read(0, cluster);
        Assert.Equal(ImageBuilder.Content(0, 4096), cluster);
        Assert.True(image.Header.Has(IncompatibleFeatures.Dirty));
    }

    [Fact]
    public void Bit_is_cleared_after_the_refcounts_are_on_the_disk()
    {
        var storage = new MemoryStorage([.. Dirty().Bytes]);
        var log = new WriteLog(storage);
        Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true }).Dispose();

        foreach ((int at, byte[] file) in log.Crashes(new Random(TestRounds.Seed(nameof(Bit_is_cleared_after_the_refcounts_are_on_the_disk))), 20))
        {
            Qcow2CheckResult result = Qcow2Checker.Check(new MemoryStorage(file));
            Assert.True(result.IsDirty || result.Corruptions == 0, $"After event {at}: {result}");
        }

        Assert.True(Qcow2Checker.Check(new MemoryStorage([.. storage.Content])).IsHealthy);
    }

    [Fact]
    public void Cut_off_repair_is_completed_by_the_next()
    {
        var storage = new MemoryStorage([.. Dirty(withoutBlock: true).Bytes]);
        var log = new WriteLog(storage);
        Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true }).Dispose();
        foreach ((int _, byte[] file) in log.Crashes(new Random(TestRounds.Seed(nameof(Cut_off_repair_is_completed_by_the_next))), 20))
        {
            var cut = new MemoryStorage([.. file]);
            using (var image = Qcow2Image.Open(cut, new Qcow2OpenOptions { Writable = true }))
            {
                byte[] disk = new byte[4 * 4096];
                image.Read(0, disk);
                Assert.Equal(ImageBuilder.Content(0, 4 * 4096), disk);
                image.Write(6 * 4096, disk.AsSpan(0, 4096));
            }

            Assert.Equal(0, Qcow2Checker.Check(new MemoryStorage([.. cut.Content])).Corruptions);
        }
    }

    [Fact]
    public void Damage_that_refcounts_do_not_cure_is_refused_and_says_what_to_do()
    {
        BuiltImage image = Dirty();
        image.SetU64(image.L2EntryOffset(1), 0x1000_0000 | (1UL << 63));
        Qcow2Exception e = Assert.Throws<Qcow2Exception>(
            () => Qcow2Image.Open(new MemoryStorage([.. image.Bytes], "disk.qcow2"), new Qcow2OpenOptions { Writable = true }));
        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, e.Code);
        Assert.Contains("must be repaired", e.Message, StringComparison.Ordinal);
        Assert.Contains("guest offset 0x1000", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Image_marked_corrupt_is_not_touched()
    {
        BuiltImage image = Dirty().SetU64(HeaderOffset.IncompatibleFeatures, 3);
        var storage = new MemoryStorage(image.Bytes) { BeforeWrite = (_, _) => Assert.Fail("Written.") };
        Qcow2Exception e = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true }));
        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, e.Code);
    }

    /// <summary>An image with the dirty bit, whose data has no refcounts yet.</summary>
    private static BuiltImage Dirty(bool withoutBlock = false)
    {
        BuiltImage image = new ImageBuilder { DataClusters = 4, CompatibleFeatures = 1, IncompatibleFeatures = 1 }.Build();
        if (withoutBlock)
        {
            return image.SetU64(image.RefcountTableOffset, 0);
        }

        foreach (int data in image.DataOffsets)
        {
            image.SetU16(image.RefcountBlockOffset + (2 * (data / image.ClusterSize)), 0);
        }

        return image;
    }

    private static void AssertSound(string path)
    {
        using JsonDocument json = JsonDocument.Parse(QemuImg.Run("check", "-f", "qcow2", "--output=json", path));
        CheckNumbers numbers = CheckNumbers.Of(json);
        Assert.Equal((0, 0, 0), (numbers.Corruptions, numbers.Leaks, numbers.CheckErrors));
    }
}

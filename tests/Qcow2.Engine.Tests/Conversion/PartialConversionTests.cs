using Qcow2.Engine.Chains;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>Only parts of a disk are copied: what a bitmap marks, for an incremental backup.</summary>
public sealed class PartialConversionTests : IDisposable
{
    private const int Size = 6 << 20;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<int> Numbers => [.. Enumerable.Range(0, TestRounds.Times(8))];

    /// <summary>Backup after backup, each of what its bitmap marks, shows the disk as it was then: as an overlay, and layered on the one before afterwards.</summary>
    [Theory, MemberData(nameof(Numbers))]
    public void A_chain_of_changes_shows_every_day(int number)
    {
        int seed = TestRounds.Seed("partial") + number;
        var random = new Random(seed);
        string label = $"QCOW2_TEST_SEED={seed}";
        string disk = _folder.File("disk.qcow2");
        byte[] model = new byte[Size];
        using (Qcow2Image image = Qcow2Image.Create(disk, Size, new Qcow2CreateOptions { ClusterSize = 512 << random.Next(0, 9) }))
        {
            Write(image, model, random, 20);
        }

        string before = _folder.File("day0.qcow2");
        using (Qcow2Image image = Qcow2Image.Open(disk))
        {
            DiskConverter.ConvertToQcow2(image, before);
        }

        for (int day = 1; day <= 3; day++)
        {
            using (Qcow2Image image = Qcow2Image.Open(disk, new Qcow2OpenOptions { Writable = true }))
            {
                image.CreateBitmap($"day{day}", 512L << random.Next(0, 12));
                Write(image, model, random, 8);
            }

            var layout = new Qcow2CreateOptions { ClusterSize = 512 << random.Next(0, 10), BackingFile = before, BackingFormat = "qcow2" };
            string overlay = _folder.File($"day{day}.qcow2");
            string plain = _folder.File($"plain{day}.qcow2");
            using (Qcow2Image image = Qcow2Image.Open(disk))
            {
                IReadOnlyList<DiskRange> changed = image.GetBitmapRanges($"day{day}");
                Assert.NotEmpty(changed);
                var options = new ConversionOptions { OnlyWithin = changed, ThrottleLimit = random.Next(1, 4), Compress = random.Next(2) == 0 };
                DiskConverter.ConvertToQcow2(image, overlay, layout, options: options);
                DiskConverter.ConvertToQcow2(image, plain, layout with { BackingFile = null, BackingFormat = null }, options: options);
            }

            ConversionJudge.AssertSame($"{label}, day {day}", model, ReadAll(overlay));
            ImageRebase.Rebase(plain, new ImageRebaseOptions { BackingFile = before, BackingFormat = "qcow2", MetadataOnly = true });
            ConversionJudge.AssertSame($"{label}, day {day}, layered afterwards", model, ReadAll(plain));
            if (QemuImg.IsAvailable)
            {
                QemuImg.Run("compare", "-q", disk, overlay);
                QemuImg.Run("compare", "-q", disk, plain);
                QemuImg.Run("check", "-q", overlay);
            }

            before = overlay;
        }
    }

    [Fact]
    public void What_is_not_marked_is_not_read()
    {
        string path = _folder.File("disk.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(path, Size))
        {
            image.Write(0, [1]);
            image.CreateBitmap("changes");
            image.Write(3 << 20, [2]);
        }

        using Qcow2Image source = Qcow2Image.Open(path);
        string copy = _folder.File("copy.qcow2");
        DiskConverter.ConvertToQcow2(source, copy, options: new ConversionOptions { OnlyWithin = source.GetBitmapRanges("changes") });
        using Qcow2Image image2 = Qcow2Image.Open(copy);
        DiskExtent data = Assert.Single(image2.GetExtents(), extent => extent.Kind == ExtentKind.Data);
        Assert.Equal(3 << 20, data.Offset);
    }

    [Fact]
    public void Parts_go_into_a_new_image_only_and_in_order()
    {
        using var source = RawDisk.Open(new MemoryStorage(new byte[Size]));
        var options = new ConversionOptions { OnlyWithin = [new DiskRange(0, 512)] };
        Assert.Throws<ArgumentException>(() => DiskConverter.ConvertToRaw(source, _folder.File("a.raw"), options: options));
        Assert.Throws<ArgumentException>(() => DiskConverter.Convert(source, _folder.File("a.vhdx"), VhdxCreateOptions.Default, options: options));
        using var target = RawDisk.Open(new MemoryStorage(new byte[Size]), isWritable: true);
        Assert.Throws<ArgumentException>(() => DiskConverter.ConvertInto(source, target, options: options));
        foreach (DiskRange[] wrong in new DiskRange[][] { [new(512, 512), new(0, 512)], [new(0, 1024), new(512, 512)], [new(0, 0)], [new(-512, 512)] })
        {
            Assert.Throws<ArgumentException>(() => DiskConverter.ConvertToQcow2(source, _folder.File("a.qcow2"), options: new ConversionOptions { OnlyWithin = wrong }));
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Bitmaps_of_an_image_that_is_being_written_are_not_read()
    {
        using Qcow2Image image = Qcow2Image.Create(_folder.File("disk.qcow2"), Size);
        image.CreateBitmap("changes");
        Assert.Throws<NotSupportedException>(() => image.GetBitmapRanges("changes"));
    }

    private static void Write(Qcow2Image image, byte[] model, Random random, int count)
    {
        for (int i = 0; i < count; i++)
        {
            int offset = random.Next(Size);
            int length = random.Next(1, Math.Min(Size - offset, 200_000) + 1);
            if (random.Next(4) == 0)
            {
                image.WriteZeroes(offset, length);
                model.AsSpan(offset, length).Clear();
            }
            else
            {
                byte[] data = new byte[length];
                random.NextBytes(data);
                image.Write(offset, data);
                data.CopyTo(model, offset);
            }
        }
    }

    private static byte[] ReadAll(string path)
    {
        using Qcow2Image image = Qcow2Image.Open(path);
        return DiskModel.ReadAll(image);
    }
}

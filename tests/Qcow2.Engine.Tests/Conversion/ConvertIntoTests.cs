using Qcow2.Engine.Conversion;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

public sealed class ConvertIntoTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(4096)]
    public void Raw_disk_keeps_what_lies_behind_the_copy(int sparseSize)
    {
        byte[] old = new byte[200_000];
        old.AsSpan().Fill(9);
        byte[] content = new byte[100_001];
        content[50_000] = 1;
        using var storage = new MemoryStorage([.. old]);
        using RawDisk source = RawDisk.Open(new MemoryStorage([.. content]));
        using RawDisk destination = RawDisk.Open(storage, isWritable: true);

        DiskConverter.ConvertInto(source, destination, options: new ConversionOptions { SparseSize = sparseSize });

        content.CopyTo(old, 0);
        Assert.Equal(old, storage.Content);
    }

    [Fact]
    public void Destination_that_cannot_hold_the_copy_is_left_alone()
    {
        using var storage = new MemoryStorage(new byte[1000]);
        using RawDisk source = RawDisk.Open(new MemoryStorage([.. Enumerable.Repeat((byte)1, 1001)]));
        using RawDisk shorter = RawDisk.Open(storage, isWritable: true);
        using RawDisk readOnly = RawDisk.Open(new MemoryStorage(new byte[2000]));

        Assert.Throws<ArgumentException>(() => DiskConverter.ConvertInto(source, shorter));
        Assert.Throws<NotSupportedException>(() => DiskConverter.ConvertInto(source, readOnly));

        Assert.Equal(new byte[1000], storage.Content);
    }

    [Fact]
    public void Disk_is_not_copied_into_what_it_is_read_from_or_the_other_way_round()
    {
        string below = _folder.Write("base.raw", new byte[100_000]);
        string path = _folder.File("top.qcow2");
        Qcow2Image.Create(path, 100_000, new Qcow2CreateOptions { BackingFile = "base.raw", BackingFormat = "raw" }).Dispose();
        using (Qcow2Image source = Qcow2Image.Open(path))
        {
            Assert.Equal(
                Qcow2ErrorCode.DestinationIsSource,
                Assert.Throws<Qcow2Exception>(() => DiskConverter.ConvertToQcow2(source, below, overwrite: true)).Code);
        }

        using RawDisk raw = RawDisk.Open(below);
        using Qcow2Image over = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true });
        Assert.Equal(Qcow2ErrorCode.DestinationIsSource, Assert.Throws<Qcow2Exception>(() => DiskConverter.ConvertInto(raw, over)).Code);
        Assert.Equal(Qcow2ErrorCode.DestinationIsSource, Assert.Throws<Qcow2Exception>(() => DiskConverter.ConvertInto(over, over)).Code);
    }

    [QemuFact]
    public void Joined_disks_are_what_qemu_img_joins()
    {
        string[] paths = [.. new[] { 70_000, 0, 513, 4096, 65_536 + 1 }.Select((length, i) =>
        {
            byte[] content = new byte[length];
            new Random(i).NextBytes(content);
            return _folder.Write($"{i}.raw", content);
        })];
        using var source = new ConcatenatedDisk([.. paths.Select(path => RawDisk.Open(path))]);
        string mine = _folder.File("mine.raw");
        DiskConverter.ConvertToRaw(source, mine);

        QemuImg.Run(["convert", "-f", "raw", "-O", "raw", .. paths, _folder.File("qemu.raw")]);
        byte[] qemu = File.ReadAllBytes(_folder.File("qemu.raw"));
        byte[] made = File.ReadAllBytes(mine);
        ConversionJudge.AssertSame("joined", qemu, ConversionJudge.WholeSectors(made));
        byte[] part = new byte[700];
        Assert.Equal(700, source.Read(69_900, part));
        ConversionJudge.AssertSame("read across", qemu.AsSpan(69_900, 700), part);
    }
}

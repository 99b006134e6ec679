using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Bitmaps;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <summary>What the specification wants done before an image is written, and what must not be lost by it.</summary>
public sealed class FirstWriteTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Opening_for_writing_changes_nothing()
    {
        foreach (string name in (string[])["v3", "bitmaps", "bit-autoclear-unknown", "snapshots"])
        {
            string path = Fixtures.Get(name).CopyTo(_folder);
            byte[] before = File.ReadAllBytes(path);
            Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true }).Dispose();
            Assert.Equal(before, File.ReadAllBytes(path));
        }
    }

    [Fact]
    public void Unknown_autoclear_features_are_cleared_and_the_rest_of_the_header_survives()
    {
        string path = Fixtures.Get("bit-autoclear-unknown").CopyTo(_folder);
        Qcow2Header before = Qcow2ImageInfo.Read(path).Header!;
        Write(path);
        Qcow2Header after = Qcow2ImageInfo.Read(path).Header!;

        Assert.NotEqual(0UL, (ulong)before.AutoclearFeatures);
        Assert.Equal(0UL, (ulong)after.AutoclearFeatures);
        Assert.Equal(before.Extensions.Select(extension => extension.Type), after.Extensions.Select(extension => extension.Type));
    }

    [Theory]
    [InlineData("bit-compatible-unknown")]
    [InlineData("extension-unknown")]
    [InlineData("header-120")]
    public void Unknown_parts_of_the_header_survive(string name)
    {
        string path = Fixtures.Get(name).CopyTo(_folder);
        byte[] before = Start(path);
        using (Qcow2Image image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true }))
        {
            image.Resize(image.Length * 64);
            image.Write(image.Length - 512, new byte[512].Select(_ => (byte)7).ToArray());
        }

        byte[] after = Start(path);
        foreach (int field in (int[])[HeaderField.Size, HeaderField.L1Size, HeaderField.L1TableOffset, HeaderField.RefcountTableOffset, HeaderField.RefcountTableClusters])
        {
            before.AsSpan(field, 8).Clear();
            after.AsSpan(field, 8).Clear();
        }

        Assert.Equal(before, after);
    }

    [Fact]
    public void Enabled_bitmaps_are_in_use_from_the_first_write_to_the_close()
    {
        var storage = new MemoryStorage(File.ReadAllBytes(Fixtures.Get("bitmaps").Path));
        Dictionary<string, BitmapOnDisk> before = BitmapReader.Read(storage.Content);
        using (Qcow2Image image = Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true }))
        {
            Assert.Equal(Flags(before.Values), Flags(BitmapReader.Read(storage.Content).Values));
            storage.BeforeWrite = (offset, _) => Assert.True(offset < image.Header.ClusterSize || IsInDirectory(image, offset) || AreInUse(storage));
            image.Write(0, new byte[512].Select(_ => (byte)7).ToArray());
            storage.BeforeWrite = null;

            Assert.True(AreInUse(storage));
            Assert.Equal(Flags(before.Values), image.Bitmaps.Select(bitmap => (bitmap.Name, (uint)bitmap.Flags)));
        }

        Assert.Contains(before.Values, bitmap => (bitmap.Flags & BitmapOnDisk.Auto) != 0);
        Assert.Contains(before.Values, bitmap => (bitmap.Flags & BitmapOnDisk.Auto) == 0);
        Assert.Equal(Flags(before.Values), Flags(BitmapReader.Read(storage.Content).Values));

        static IEnumerable<(string Name, uint Flags)> Flags(IEnumerable<BitmapOnDisk> bitmaps) => bitmaps.Select(bitmap => (bitmap.Name, bitmap.Flags));
        static bool IsInDirectory(Qcow2Image image, long offset) => offset >> 16 == (long)image.Header.Extension<BitmapsExtension>()!.DirectoryOffset >> 16;
        static bool AreInUse(MemoryStorage storage) => BitmapReader.Read(storage.Content).Values.All(
            bitmap => ((bitmap.Flags & BitmapOnDisk.InUse) != 0) == ((bitmap.Flags & BitmapOnDisk.Auto) != 0));
    }

    [Fact]
    public void Image_that_is_marked_corrupt_is_not_written()
    {
        string path = Fixtures.Get("bit-corrupt").CopyTo(_folder);
        byte[] before = File.ReadAllBytes(path);

        var error = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true }));

        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, error.Code);
        Assert.Equal(before, File.ReadAllBytes(path));
    }

    [Fact]
    public void Stream_writes_where_it_stands()
    {
        string path = Fixtures.Get("v3").CopyTo(_folder);
        using Qcow2Image image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true });
        using Stream stream = image.AsStream();
        stream.Position = 1000;
        stream.Write("here"u8);
        stream.Flush();
        byte[] read = new byte[4];
        image.Read(1000, read);

        Assert.Equal("here"u8.ToArray(), read);
        Assert.Equal(1004, stream.Position);
        stream.Position = image.Length - 2;
        Assert.Throws<IOException>(() => stream.Write("here"u8));
    }

    [Fact]
    public void Discarded_space_goes_back_to_the_host()
    {
        string path = _folder.File("discard.qcow2");
        byte[] data = new byte[8 << 20];
        new Random(1).NextBytes(data);
        using (Qcow2Image image = Qcow2Image.Create(path, 16 << 20))
        {
            image.Write(0, data);
            image.Flush();
            Assert.True(Qcow2ImageInfo.Read(path).AllocatedSize > data.Length);
            image.Discard(1 << 20, 6 << 20);
        }

        Qcow2ImageInfo info = Qcow2ImageInfo.Read(path);
        Assert.InRange(info.AllocatedSize, 2 << 20, 4 << 20);
        using Qcow2Image again = Qcow2Image.Open(path);
        byte[] read = new byte[data.Length];
        again.Read(0, read);
        data.AsSpan(1 << 20, 6 << 20).Clear();
        Assert.Equal(data, read);
    }

    [QemuFact]
    public void Qemu_and_a_writer_here_exclude_each_other()
    {
        string path = Fixtures.Get("v3").CopyTo(_folder);
        using (Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true }))
        {
            Assert.NotEqual(0, QemuImg.TryRunIo("-f", "qcow2", "-c", "write 0 512", path).ExitCode);
            Assert.NotEqual(0, QemuImg.TryRunIo("-r", "-f", "qcow2", "-c", "read 0 512", path).ExitCode);
            Assert.Equal(Qcow2ErrorCode.ImageLocked, Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(path)).Code);
        }

        Assert.Equal(0, QemuImg.TryRunIo("-f", "qcow2", "-c", "write 0 512", path).ExitCode);
    }

    private static void Write(string path)
    {
        using Qcow2Image image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true });
        image.Write(0, new byte[512].Select(_ => (byte)7).ToArray());
    }

    private static byte[] Start(string path)
    {
        byte[] cluster = new byte[4096];
        using FileStream file = File.OpenRead(path);
        file.ReadExactly(cluster);
        return cluster;
    }
}

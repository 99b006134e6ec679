using System.Globalization;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Creation;

/// <summary>An image over a raw disk that exists: nothing of that file changes, whatever happens, and the disk is what it holds.</summary>
public sealed class KeptDataFileTests : IDisposable
{
    private static readonly Qcow2CreateOptions Kept = new() { DataFile = "data.raw", DataFileRaw = true, KeepDataFile = true };

    private readonly TempFolder _folder = new();

    private string Image => _folder.File("disk.qcow2");

    private string Data => _folder.File("data.raw");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("default", 0)]
    [InlineData("default", 512)]
    [InlineData("default", 1000)]
    [InlineData("default", (7 * 65_536) + 3584)]
    [InlineData("default", (20 << 20) + 1)]
    [InlineData("metadata", (7 * 65_536) + 5)]
    [InlineData("not-raw", (7 * 65_536) + 5)]
    [InlineData("extended", (7 * 65_536) + 3584)]
    [InlineData("extended-not-raw", 5 * 65_536)]
    [InlineData("512", 300_000)]
    [InlineData("2m", 5_000_000)]
    public void The_disk_is_what_the_file_holds(string layout, int length)
    {
        Qcow2CreateOptions options = layout switch
        {
            "metadata" => Kept with { Preallocation = Preallocation.Metadata },
            "not-raw" => Kept with { DataFileRaw = false, Preallocation = Preallocation.Metadata },
            "extended" => Kept with { ExtendedL2 = true },
            "extended-not-raw" => Kept with { ExtendedL2 = true, DataFileRaw = false, Preallocation = Preallocation.Metadata },
            "512" => Kept with { ClusterSize = 512, RefcountBits = 1, LazyRefcounts = true },
            "2m" => Kept with { ClusterSize = 2 << 20, CompressionType = CompressionType.Zstd },
            _ => Kept,
        };
        byte[] disk = MakeData(length);
        string before = Facts();
        Qcow2Image.CreateFile(Image, null, options);
        Assert.Equal(before, Facts());

        using (Qcow2Image image = Qcow2Image.Open(Image))
        {
            Assert.Equal(DiskSize.RoundUp(length), image.Length);
            Assert.Equal(disk, DiskModel.ReadAll(image));
            Assert.Equal(options.DataFileRaw, image.Header.Has(AutoclearFeatures.RawExternalData));
        }

        (int corruptions, int leaks, string output) = QemuJudge.Check(Image);
        Assert.True(corruptions == 0 && leaks == 0, output);
        if (QemuImg.IsAvailable)
        {
            Assert.Equal(disk, QemuJudge.Read(Image, _folder));
            QemuImg.RunIn(_folder.Path, "compare", "-q", "-f", "qcow2", "-F", "raw", "disk.qcow2", "data.raw");
        }

        Assert.Equal(before, Facts());
        WriteBoth(disk, options.DataFileRaw);
    }

    [Fact]
    public void A_size_that_is_asked_for_is_the_files()
    {
        MakeData(70_000);
        foreach (long size in new[] { 70_000, 70_144 })
        {
            Qcow2Image.CreateFile(Image, size, Kept, overwrite: true);
            Assert.Equal(70_144, Qcow2ImageInfo.Read(Image).Size);
        }

        string before = Facts();
        File.Delete(Image);
        foreach ((long size, string said) in new[] { (0L, "hide"), (69_632, "hide"), (70_145, "lengthened"), (1L << 40, "lengthened") })
        {
            var error = Assert.Throws<ArgumentException>(() => Qcow2Image.CreateFile(Image, size, Kept));
            Assert.Contains(said, error.Message, StringComparison.Ordinal);
            Assert.Contains("70000", error.Message, StringComparison.Ordinal);
        }

        Assert.Equal(before, Facts());
        Assert.Equal(["data.raw"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void What_would_hide_or_change_the_content_is_refused()
    {
        MakeData(70_000);
        _folder.Write("base.raw", new byte[70_000]);
        string before = Facts();
        using var passphrase = Passphrase.FromString("x");
        Qcow2CreateOptions[] refused =
        [
            Kept with { DataFile = null, DataFileRaw = false },
            Kept with { DataFileRaw = false },
            Kept with { Preallocation = Preallocation.Falloc },
            Kept with { Preallocation = Preallocation.Full },
            Kept with { Version = 2 },
            Kept with { DataFileRaw = false, Preallocation = Preallocation.Metadata, BackingFile = "base.raw", BackingFormat = "raw", ExtendedL2 = true },
            Kept with { DataFileRaw = false, Preallocation = Preallocation.Metadata, Encryption = EncryptionMethod.Luks, Passphrase = passphrase },
            Kept with { DataFile = "disk.qcow2" },
            Kept with { DataFile = "nbd://host/disk" },
        ];
        Assert.All(refused, options => Assert.Throws<ArgumentException>(() => Qcow2Image.CreateFile(Image, null, options)));
        Assert.Throws<ArgumentException>(() => Qcow2Image.Create(new MemoryStorage([]), 70_144, Kept).Dispose());
        using (var source = RawDisk.Open(_folder.File("base.raw")))
        {
            Assert.Throws<ArgumentException>(() => DiskConverter.Convert(source, Image, Kept, overwrite: true));
        }

        Assert.Equal(before, Facts());
        Assert.False(File.Exists(Image));
    }

    [Fact]
    public void A_file_that_is_not_there_is_not_made()
    {
        var error = Assert.Throws<Qcow2Exception>(() => Qcow2Image.CreateFile(Image, 1 << 20, Kept));
        Assert.Equal(Qcow2ErrorCode.DataFileUnavailable, error.Code);
        Assert.Contains("does not exist", error.Message, StringComparison.Ordinal);
        Directory.CreateDirectory(Data);
        Assert.Throws<Qcow2Exception>(() => Qcow2Image.CreateFile(Image, 1 << 20, Kept));
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_file_that_somebody_uses_is_refused(bool isWritten)
    {
        MakeData(70_000);
        using (LocalFile other = isWritten ? ImageFile.OpenForWriting(Data) : ImageFile.Open(Data, Qcow2OpenOptions.Default))
        {
            if (isWritten || OperatingSystem.IsLinux()) // On Windows readers do not see each other; nothing is written here.
            {
                Assert.Equal(Qcow2ErrorCode.ImageLocked, Assert.Throws<Qcow2Exception>(() => Qcow2Image.CreateFile(Image, null, Kept)).Code);
                Assert.False(File.Exists(Image));
            }
        }

        Qcow2Image.CreateFile(Image, null, Kept);
    }

    [Fact]
    public void The_file_is_kept_from_writers_until_the_image_is_there()
    {
        MakeData(3 << 20);
        int asked = 0;
        Qcow2Image.CreateFile(Image, null, Kept with { ClusterSize = 512 }, overwrite: false, new Told(() =>
        {
            Assert.Equal(Qcow2ErrorCode.ImageLocked, Assert.Throws<Qcow2Exception>(() => ImageFile.OpenForWriting(Data).Dispose()).Code);
            Assert.False(File.Exists(Image));
            asked++;
        }));
        Assert.True(asked > 1);
        ImageFile.OpenForWriting(Data).Dispose();
    }

    /// <summary>Stopped, or failing, at each report of progress: the old image stays, and so does the data.</summary>
    [Fact]
    public void What_is_cut_short_leaves_both_files_as_they_were()
    {
        MakeData(1 << 20);
        _folder.Write("disk.qcow2", [1, 2, 3]);
        string before = Facts();
        int ends = 1;
        for (bool isDone = false; !isDone; ends++)
        {
            int reports = 0;
            using var stop = new CancellationTokenSource();
            try
            {
                Qcow2Image.CreateFile(Image, null, Kept with { ClusterSize = 512 }, overwrite: true, new Told(() =>
                {
                    reports++;
                    if (reports == ends)
                    {
                        stop.Cancel();
                    }
                    else if (reports == ends - 1 && ends % 2 == 0)
                    {
                        throw new IOException("No space left on device");
                    }
                }), stop.Token);
                isDone = true;
            }
            catch (Exception e) when (e is OperationCanceledException or IOException)
            {
                Assert.Equal([1, 2, 3], File.ReadAllBytes(Image));
                Assert.Equal(2, Directory.GetFiles(_folder.Path).Length);
            }

            Assert.Equal(before, Facts());
        }

        Assert.True(ends > 4);
        Assert.Equal(1 << 20, Qcow2ImageInfo.Read(Image).Size);
    }

    [LinuxFact]
    public void Another_file_under_the_name_is_not_taken()
    {
        MakeData(3 << 20);
        _folder.Write("other.raw", new byte[3 << 20]);
        var error = Assert.Throws<IOException>(() => Qcow2Image.CreateFile(
            Image, null, Kept, overwrite: false, new Told(() => File.Move(_folder.File("other.raw"), Data, overwrite: true))));
        Assert.Contains(Data, error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Image));

        MakeData(3 << 20);
        error = Assert.Throws<IOException>(() => Qcow2Image.CreateFile(Image, null, Kept, overwrite: false, new Told(() => File.AppendAllText(Data, "more"))));
        Assert.Contains(Data, error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Image));
    }

    [LinuxFact]
    public void The_image_is_no_other_name_of_the_file()
    {
        byte[] disk = MakeData(70_144);
        Shell.Run("ln", Data, Image);
        Assert.Throws<ArgumentException>(() => Qcow2Image.CreateFile(Image, null, Kept, overwrite: true));
        File.Delete(Image);
        File.CreateSymbolicLink(Image, Data);
        Assert.Throws<ArgumentException>(() => Qcow2Image.CreateFile(Image, null, Kept, overwrite: true));
        Assert.Equal(disk, File.ReadAllBytes(Data));

        // A link to the file is as good as its name.
        File.Delete(Image);
        File.CreateSymbolicLink(_folder.File("link.raw"), Data);
        Qcow2Image.CreateFile(Image, null, Kept with { DataFile = "link.raw" }, overwrite: true);
        using Qcow2Image image = Qcow2Image.Open(Image);
        Assert.Equal(disk, DiskModel.ReadAll(image));
    }

    [LoopDeviceFact]
    public void A_device_is_kept_unless_the_host_uses_it()
    {
        byte[] disk = MakeData(8 << 20);
        string mounted = _folder.File("mounted");
        Directory.CreateDirectory(mounted);
        string device = Shell.Run("losetup", "-f", "--show", Data);
        try
        {
            Qcow2Image.CreateFile(Image, null, Kept with { DataFile = device });
            using (Qcow2Image image = Qcow2Image.Open(Image))
            {
                Assert.Equal(disk, DiskModel.ReadAll(image));
            }

            File.Delete(Image);
            Shell.Run("mkfs.ext4", "-q", "-F", device);
            Shell.Run("mount", device, mounted);
            try
            {
                Assert.Equal(Qcow2ErrorCode.ImageLocked, Assert.Throws<Qcow2Exception>(() => Qcow2Image.CreateFile(Image, null, Kept with { DataFile = device })).Code);
            }
            finally
            {
                Shell.Run("umount", mounted);
            }
        }
        finally
        {
            Shell.Run("losetup", "-d", device);
        }
    }

    /// <summary>What is written through the image lies in the file, where a raw disk has it; and what QEMU writes there, too.</summary>
    private void WriteBoth(byte[] disk, bool isRaw)
    {
        if (disk.Length < 200_000)
        {
            return;
        }

        using (Qcow2Image image = Qcow2Image.Open(Image, new() { Writable = true }))
        {
            image.Write(70_001, new byte[] { 9, 8, 7 });
            image.WriteZeroes(100_000, 50_000);
        }

        (disk[70_001], disk[70_002], disk[70_003]) = (9, 8, 7);
        disk.AsSpan(100_000, 50_000).Clear();
        using (Qcow2Image image = Qcow2Image.Open(Image))
        {
            Assert.Equal(disk, DiskModel.ReadAll(image));
        }

        if (isRaw)
        {
            Assert.Equal(disk.AsSpan(0, 200_000).ToArray(), File.ReadAllBytes(Data).AsSpan(0, 200_000).ToArray());
        }
    }

    /// <summary>Random bytes with holes between, also at the end, and what a guest sees of them: whole sectors.</summary>
    private byte[] MakeData(int length)
    {
        byte[] disk = new byte[DiskSize.RoundUp(length)];
        var random = new Random(length);
        using FileStream file = File.Create(Data);
        for (int offset = 0; offset < length && offset < 20 << 20; offset += 200_000)
        {
            Span<byte> part = disk.AsSpan(offset, Math.Min(90_000, length - offset));
            random.NextBytes(part);
            file.Position = offset;
            file.Write(part);
        }

        file.SetLength(length);
        file.Flush(flushToDisk: true); // File systems that put off where data goes count its blocks again when they write it.
        return disk;
    }

    /// <summary>All that a change of the data file would show in, its holes and its times included.</summary>
    private string Facts()
    {
        using LocalFile file = LocalFile.OpenRead(Data);
        return string.Create(CultureInfo.InvariantCulture,
            $"{file.Identity} {file.Length} {file.AllocatedLength} {File.GetLastWriteTimeUtc(Data):O} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(Data)))}");
    }

    /// <summary>Progress of the calling thread.</summary>
    private sealed class Told(Action then) : IProgress<long>
    {
        public void Report(long value) => then();
    }
}

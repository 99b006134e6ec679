using Qcow2.Engine.Conversion;
using Qcow2.Engine.Packed;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Packed;

/// <summary>What is packed, as a disk in order, by its start alone, and in a temporary file.</summary>
public sealed class PackedStorageTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [LinuxFact("gzip", "xz", "zstd", "bzip2")]
    public void A_raw_disk_is_converted_on_the_fly()
    {
        byte[] content = PackedSamples.Content(4 << 20, 1);
        foreach ((string command, string extension) in ((string, string)[])[("gzip -c -1", ".gz"), ("xz -c -0", ".xz"), ("zstd -c", ".zst"), ("bzip2 -c -1", ".bz2")])
        {
            string path = _folder.Write($"disk.raw{extension}", PackedSamples.Pack(content, command));
            PackedDisk packed = Assert.Single(PackedFile.Recognize(LocalFile.OpenRead(path), path)!.ReadDisks(LocalFile.OpenRead(path)));
            Assert.Equal("disk.raw", packed.Name);
            foreach (string name in (string[])(extension == ".xz" ? ["out.qcow2", "out.vmdk"] : ["out.qcow2"]))
            {
                LocalFile file = LocalFile.OpenRead(path);
                Assert.Equal("raw", packed.Recognize(file).Format!.Name);
                var storage = (OrderedStorage)packed.OpenInOrder(file, packed.ReadLength(file, PackedDisk.DefaultMaximumSize), 8 << 20);
                using (VirtualDisk disk = DiskFormats.Raw.Open(storage))
                {
                    DiskCreateOptions layout = name.EndsWith("qcow2", StringComparison.Ordinal) ? Qcow2CreateOptions.Default : VmdkCreateOptions.Default;
                    DiskConverter.Convert(disk, _folder.File(name), layout, overwrite: true, ConversionOptions.Default with { ThrottleLimit = 4 });
                }

                Assert.Equal(0, storage.Restarts);
                using VirtualDisk copy = DiskFormats.Recognize(_folder.File(name)).Format!.Open(_folder.File(name));
                Assert.True(content.AsSpan().SequenceEqual(ReadAll(copy).AsSpan(0, content.Length)), $"{command} to {name}");
            }
        }
    }

    [LinuxFact("xz")]
    public void A_disk_that_is_damaged_at_its_end_leaves_no_file()
    {
        byte[] packed = PackedSamples.Pack(PackedSamples.Content(3 << 20, 2), "xz -c -0");
        packed[^40] ^= 1; // In the check sum or the index, when every byte of the disk has been handed out.
        string path = _folder.Write("disk.raw.xz", packed);
        LocalFile file = LocalFile.OpenRead(path);
        PackedDisk found = PackedFile.Recognize(file, path)!.FindDisk(file, null);
        Assert.Throws<Qcow2Exception>(() =>
        {
            using VirtualDisk disk = DiskFormats.Raw.Open(found.OpenInOrder(file, 3 << 20, 8 << 20));
            DiskConverter.Convert(disk, _folder.File("out.qcow2"), Qcow2CreateOptions.Default, overwrite: false, ConversionOptions.Default);
        });
        Assert.Equal(["disk.raw.xz"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void A_guess_at_what_gzip_holds_is_right_or_found_out_at_its_end()
    {
        byte[] content = PackedSamples.Content(3 << 20, 5);
        byte[] one = Gzip(content);
        byte[] zeros = Gzip(new byte[2 << 20]);
        (string Name, byte[] Packed, long? Guess, bool IsOther)[] files =
        [
            ("one member", one, content.Length, false),
            ("zeros before it", [.. zeros, .. one], content.Length, true),
            ("noise", Gzip(Noise(1 << 20)), 1 << 20, false),
            ("zeros behind it", [.. one, .. zeros], 2 << 20, true),
            ("an empty member at its end, as bgzip writes", [.. one, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0], null, false),
            ("less than it takes", [.. one, .. Gzip(new byte[10])], null, false),
            ("more than can come out", With(one, uint.MaxValue), null, false),
            ("a lie that could be true", With(one, (uint)content.Length + 512), content.Length + 512, false),
            ("cut off", one.AsSpan(0, one.Length - 4).ToArray(), null, false),
            ("no file", [1, 2, 3], null, false),
        ];
        foreach ((string name, byte[] packed, long? guess, bool isOther) in files)
        {
            var disk = new PackedDisk("gzip", "disk.raw", PackedKind.Find("gzip"), null);
            long? found = disk.GuessLength(new MemoryStorage(packed), 1L << 40);
            if (name != "cut off") // Then it is any number.
            {
                Assert.True(guess == found, $"{name}: {found}");
            }

            if (found is long length && length < 16 << 20)
            {
                BlockStorage ordered = disk.OpenInOrder(new MemoryStorage(packed), length, 1 << 20);
                byte[] all = new byte[length];
                bool isRight = name is "one member" or "noise";
                Qcow2Exception? error = (Qcow2Exception?)Record.Exception(() => ordered.Read(0, all));
                ordered.Dispose();
                Assert.True(isRight == error is null, name);
                Assert.True(isOther == PackedDisk.HadOtherLength(ordered), name);
            }
        }

        Assert.Null(new PackedDisk("gzip", "disk.raw", PackedKind.Find("gzip"), null).GuessLength(new MemoryStorage(one), content.Length - 1));
        Assert.Null(new PackedDisk("bzip2", "disk.raw", PackedKind.Find("bzip2"), null).GuessLength(new MemoryStorage(one), 1L << 40));

        static byte[] With(byte[] packed, uint length)
        {
            byte[] changed = (byte[])packed.Clone();
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(changed.AsSpan(changed.Length - 4), length);
            return changed;
        }

        static byte[] Gzip(byte[] content)
        {
            var packed = new MemoryStream();
            using (var gzip = new System.IO.Compression.GZipStream(packed, System.IO.Compression.CompressionLevel.Fastest))
            {
                gzip.Write(content);
            }

            return packed.ToArray();
        }

        static byte[] Noise(int length)
        {
            byte[] noise = new byte[length];
            new Random(6).NextBytes(noise);
            return noise;
        }
    }

    [LinuxFact("xz")]
    public void Another_length_than_was_said_is_an_error()
    {
        byte[] packed = PackedSamples.Pack(new byte[100_000], "xz -c");
        foreach (int length in (int[])[99_999, 100_001])
        {
            using var storage = new OrderedStorage(new MemoryStorage(packed), PackedKind.Find("xz")!, length, 1 << 20);
            Assert.Throws<Qcow2Exception>(() => storage.Read(0, new byte[100_001]));
            Assert.Throws<Qcow2Exception>(() => storage.Read(0, new byte[100_001]));
        }
    }

    [LinuxFact("zstd")]
    public void Who_goes_back_too_far_has_it_unpacked_again()
    {
        byte[] content = PackedSamples.Content(12 << 20, 3);
        using var storage = new OrderedStorage(new MemoryStorage(PackedSamples.Pack(content, "zstd -c")), PackedKind.Find("zstd")!, content.Length, 2 << 20);
        byte[] part = new byte[100_000];
        foreach ((int offset, int restarts) in ((int, int)[])[(0, 0), (5 << 20, 0), (4 << 20, 0), (10 << 20, 0), (100, 0), (5 << 20, 1), ((12 << 20) - 100, 1), (0, 1), (3 << 20, 1)])
        {
            int count = storage.Read(offset, part);
            Assert.Equal(Math.Min(part.Length, content.Length - offset), count);
            Assert.True(content.AsSpan(offset, count).SequenceEqual(part.AsSpan(0, count)));
            Assert.Equal(restarts, storage.Restarts);
        }

        Assert.Throws<IOException>(() => storage.Read(5 << 20, part)); // It would be unpacked a third time, for a look.
    }

    [LinuxFact("gzip")]
    public void The_start_is_looked_at_without_the_rest()
    {
        byte[] content = PackedSamples.Content(17 << 20, 4);
        var packed = new MemoryStorage(PackedSamples.Pack(content, "gzip -c -1"));
        using var start = new StartStorage(packed, PackedKind.Find("gzip")!, null);
        byte[] part = new byte[70_000];
        Assert.Equal(part.Length, start.Read(0, part));
        Assert.Equal(content.AsSpan(0, part.Length).ToArray(), part);
        Assert.True(start.Length > content.Length);
        Assert.False(PackedDisk.WasTooShort(start));
        Assert.ThrowsAny<IOException>(() => start.Read((17 << 20) - 70_000, part));
        Assert.True(PackedDisk.WasTooShort(start));
        using var padded = new StartStorage(packed, PackedKind.Find("gzip")!, null, isPadded: true);
        Assert.Equal(0, padded.Read(16 << 20, part));
    }

    [LinuxFact("gzip", "xz", "zstd", "bzip2")]
    public void An_image_is_unpacked_with_holes_and_gone_when_it_is_closed()
    {
        byte[] content = [.. PackedSamples.Content(300_000, 5), .. new byte[8 << 20], .. PackedSamples.Content(100_000, 6)];
        foreach (string command in (string[])["gzip -c -1", "xz -c -0", "zstd -c", "bzip2 -c -1"])
        {
            var packed = new MemoryStorage(PackedSamples.Pack(content, command), _folder.File("disk.bin.packed"));
            using (TemporaryCopy file = UnpackedFile.Create(packed, PackedSamples.Kind(command), _folder.Path, 1L << 40, null, default))
            {
                byte[] found = new byte[content.Length + 1];
                Assert.Equal(content.Length, file.Read(0, found));
                Assert.True(content.AsSpan().SequenceEqual(found.AsSpan(0, content.Length)), command);
                Assert.True(file.AllocatedLength < 2 << 20);
                Assert.Throws<NotSupportedException>(() => file.Write(0, found));
            }

            Assert.Empty(Directory.GetFiles(_folder.Path));
        }
    }

    [LinuxFact("gzip", "xz")]
    public void A_bomb_is_an_error_and_leaves_nothing()
    {
        byte[] zeros = new byte[12 << 20];
        foreach (string command in (string[])["gzip -c -9", "xz -c -0"])
        {
            var packed = new MemoryStorage(PackedSamples.Pack(zeros, command), _folder.File("bomb"));
            PackedKind kind = PackedSamples.Kind(command);
            Assert.Equal(Qcow2ErrorCode.UnpackedTooLarge, Assert.Throws<Qcow2Exception>(() => UnpackedFile.Create(packed, kind, _folder.Path, 4 << 20, null, default)).Code);
            Assert.Equal(Qcow2ErrorCode.UnpackedTooLarge, Assert.Throws<Qcow2Exception>(() => new PackedDisk(kind.Name, "bomb", kind, null).ReadLength(packed, 4 << 20)).Code);
        }

        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [LoopDeviceFact]
    public void A_volume_that_is_too_small_is_an_error_and_keeps_what_others_need()
    {
        using var volume = LoopFileSystem.Plain();
        Shell.Run("fallocate", "-l", "45M", volume.File("others"));
        long used = volume.UsedBytes;
        long free = FreeSpace.Of(volume.Path)!.Value;
        byte[] noise = new byte[free];
        new Random(8).NextBytes(noise);
        var packed = new MemoryStorage(PackedSamples.Pack(noise, "gzip -c -1"), volume.File("disk.raw.gz"));
        IOException error = Assert.Throws<IOException>(() => UnpackedFile.Create(packed, PackedKind.Find("gzip")!, volume.Path, 1L << 40, null, default));
        Assert.Equal(28, error.HResult); // ENOSPC, before the host says it.
        Assert.Contains("not enough space", error.Message, StringComparison.Ordinal);
        Assert.Equal(used, volume.UsedBytes);
    }

    [LinuxFact("gzip")]
    public void Stopping_leaves_nothing()
    {
        var packed = new MemoryStorage(PackedSamples.Pack(PackedSamples.Content(6 << 20, 7), "gzip -c -1"), _folder.File("disk"));
        using var stop = new CancellationTokenSource();
        packed.BeforeRead = (offset, _) =>
        {
            if (offset > 1 << 20)
            {
                stop.Cancel();
            }
        };
        Assert.Throws<OperationCanceledException>(() => UnpackedFile.Create(packed, PackedKind.Find("gzip")!, _folder.Path, 1L << 40, null, stop.Token));
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [LinuxFact("gzip")]
    public void Only_a_file_that_is_called_packed_is()
    {
        byte[] packed = PackedSamples.Pack([1, 2, 3], "gzip -c");
        foreach ((string name, string? kind) in ((string, string?)[])[("disk.raw.gz", "gzip"), ("disk.GZ", "gzip"), ("disk.raw", null), ("disk.img", null), ("disk.qcow2", null), ("disk.raw.xz", null), ("disk.ova", null), ("disk", null)])
        {
            Assert.Equal(kind, PackedFile.Recognize(new MemoryStorage(packed), name)?.Kind);
        }

        Assert.Null(PackedFile.Recognize(new MemoryStorage(new byte[5000]), "disk.raw.gz"));
        Assert.Null(PackedFile.Recognize(new MemoryStorage([]), "disk.raw.gz"));
    }

    private static byte[] ReadAll(VirtualDisk disk)
    {
        byte[] content = new byte[disk.Length];
        disk.Read(0, content);
        return content;
    }
}

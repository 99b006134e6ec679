using System.Globalization;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>The numbers of <c>qemu-img measure</c>, and that they are enough for what is written here.</summary>
public sealed class ImageMeasureTests : IDisposable
{
    private const long MiB = 1 << 20;
    private const long TiB = 1L << 40;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [QemuFact]
    public void A_size_needs_what_qemu_says_in_every_layout()
    {
        var random = new Random(TestRounds.Seed(nameof(A_size_needs_what_qemu_says_in_every_layout)));
        long[] sizes = [0, 1, 511, 513, 65_536, 65_537, MiB - 1, 1000 * MiB + 7, 128L << 30, TiB, (TiB * 7 / 3) + 1, 16 * TiB, 64 * TiB];
        for (int i = 0; i < TestRounds.Times(80); i++)
        {
            Qcow2CreateOptions options = RandomLayout(random);
            long size = random.Next(3) == 0 ? random.NextInt64(1L << random.Next(47)) : sizes[i % sizes.Length];
            long largest = (Qcow2Limits.MaxL1TableBytes / 8) << new ClusterGeometry(Bits(options.ClusterSize), options.ExtendedL2).L1CoverageBits;
            size = Math.Min(size, largest);

            QemuMeasure expected = QemuMeasure.Of(options, "--size", size.ToString(CultureInfo.InvariantCulture));
            QemuMeasure.AssertEqual(expected, ImageMeasure.ForSize(size, options), $"{size} bytes, {options}");
        }
    }

    [QemuFact]
    public void An_encrypted_image_needs_what_qemu_says_and_no_passphrase()
    {
        // One only: qemu-img derives a key to measure it.
        var options = new Qcow2CreateOptions { Encryption = EncryptionMethod.Luks };
        QemuMeasure.AssertEqual(QemuMeasure.Of(options, "--size", "1000000"), ImageMeasure.ForSize(1_000_000, options), options.ToString());
    }

    [QemuTheory]
    [MemberData(nameof(Fixtures.WithMap), MemberType = typeof(Fixtures))]
    public void A_source_needs_what_qemu_says(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        using Qcow2Image image = fixture.Open();
        if (image.Length % 512 != 0)
        {
            return; // QEMU cuts off the last bytes.
        }

        foreach (int clusterSize in (int[])[image.Length > TiB / 8 ? 4096 : 512, 65_536, 2 << 20])
        {
            var options = new Qcow2CreateOptions { ClusterSize = clusterSize };
            QemuMeasure expected = QemuMeasure.Of(options, QemuMeasure.Image(fixture.Path, fixture.Passphrase));
            QemuMeasure.AssertEqual(expected, ImageMeasure.ForDisk(image, options), $"{name}, clusters of {clusterSize}");
        }

        QemuMeasure.AssertEqual(QemuMeasure.OfRaw(QemuMeasure.Image(fixture.Path, fixture.Passphrase)), ImageMeasure.ForRaw(image), $"{name} as raw");
    }

    [QemuTheory]
    [MemberData(nameof(Fixtures.WithSnapshots), MemberType = typeof(Fixtures))]
    public void A_snapshot_needs_what_qemu_says(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        using Qcow2Image image = fixture.Open();
        foreach (SnapshotTableEntry snapshot in image.Snapshots)
        {
            VirtualDisk disk = image.OpenSnapshot(snapshot);
            if (disk.Length != image.Length)
            {
                continue; // QEMU gives such a snapshot the size of the active disk, both when it measures and when it converts.
            }

            QemuMeasure expected = QemuMeasure.Of(Qcow2CreateOptions.Default, QemuMeasure.Image(fixture.Path, snapshot: snapshot.Id));
            QemuMeasure.AssertEqual(expected, ImageMeasure.ForDisk(disk, bitmapSource: image), $"{name}, snapshot {snapshot.Id}");
        }
    }

    [QemuFact]
    public void A_preallocated_source_needs_what_was_written()
    {
        string path = _folder.File("preallocated.qcow2");
        QemuImg.Run("create", "-q", "-f", "qcow2", "-o", "preallocation=metadata,lazy_refcounts=on", path, "1G");
        QemuImg.RunIo("-c", "write 100M 300k", "-c", "write 700M 1", path);
        string overlay = _folder.File("overlay.qcow2");
        QemuImg.Run("create", "-q", "-f", "qcow2", "-b", path, "-F", "qcow2", overlay);
        QemuImg.RunIo("-c", "write 500M 64k", "-c", "write -z 700M 64k", overlay);
        foreach (string source in (string[])[path, overlay])
        {
            using Qcow2Image image = Qcow2Image.Open(source);
            Qcow2MeasureResult measured = ImageMeasure.ForDisk(image);
            Assert.InRange(measured.RequiredBytes, 1, 2 * MiB);
            QemuMeasure.AssertEqual(QemuMeasure.Of(Qcow2CreateOptions.Default, QemuMeasure.Image(source)), measured, source);
        }
    }

    [QemuTheory]
    [InlineData(0)]
    [InlineData(1000)]
    [InlineData(50_000_000)]
    public void A_raw_source_needs_what_its_holes_leave(long length)
    {
        string path = _folder.File("disk.raw");
        using (LocalFile file = LocalFile.CreateNew(path))
        {
            file.SetLength(length);
            for (long at = 0; at < length; at += 9 * MiB)
            {
                file.Write(at, "data"u8);
            }
        }

        using RawDisk disk = RawDisk.Open(path);
        foreach (int clusterSize in (int[])[512, 4096, 2 << 20])
        {
            var options = new Qcow2CreateOptions { ClusterSize = clusterSize };
            QemuMeasure.AssertEqual(QemuMeasure.Of(options, "-f", "raw", path), ImageMeasure.ForDisk(disk, options), $"{length} bytes");
        }

        QemuMeasure.AssertEqual(QemuMeasure.OfRaw("-f", "raw", path), ImageMeasure.ForRaw(disk), $"{length} bytes as raw");
    }

    [QemuFact]
    public void Bitmaps_need_what_qemu_says()
    {
        string path = _folder.File("bitmaps.qcow2");
        QemuImg.Run("create", "-q", "-f", "qcow2", path, "300G");
        QemuImg.Run("bitmap", "--add", "-g", "512k", path, "coarse");
        QemuImg.Run("bitmap", "--add", "-g", "64k", "--disable", path, new string('n', 1000));
        QemuImg.Run("bitmap", "--add", "-g", "4k", path, "fine");
        using Qcow2Image image = Qcow2Image.Open(path);
        foreach (Qcow2CreateOptions options in (Qcow2CreateOptions[])[new(), new() { ClusterSize = 4096 }, new() { Version = 2 }])
        {
            Qcow2MeasureResult measured = ImageMeasure.ForDisk(image, options);
            QemuMeasure.AssertEqual(QemuMeasure.Of(options, QemuMeasure.Image(path)), measured, options.ToString());
            Assert.Equal(options.Version == 3, measured.BitmapsBytes is not null);
        }
    }

    public static TheoryData<long, int, int, bool> Written
    {
        get
        {
            var cases = new TheoryData<long, int, int, bool>();
            foreach ((long size, int clusterSize) in (IEnumerable<(long, int)>)[
                (1, 512), (512, 512), (100_001, 512), (3 * MiB, 512), (3 * MiB, 4096), (40 * MiB, 4096), (5 * MiB, 65_536), (64 * MiB, 65_536), (9 * MiB, 2 << 20)])
            {
                foreach (int refcountBits in (int[])[1, 16, 64])
                {
                    cases.Add(size, clusterSize, refcountBits, false);
                    if (clusterSize >= 16_384)
                    {
                        cases.Add(size, clusterSize, refcountBits, true);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Written))]
    public void What_is_written_takes_no_more(long size, int clusterSize, int refcountBits, bool extendedL2)
    {
        var options = new Qcow2CreateOptions { ClusterSize = clusterSize, RefcountBits = refcountBits, ExtendedL2 = extendedL2 };
        Qcow2MeasureResult measured = ImageMeasure.ForSize(size, options);
        byte[] data = new byte[size];
        new Random(1).NextBytes(data);

        string path = _folder.File("written.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(path, size, options))
        {
            Assert.InRange(new FileInfo(path).Length, 0, measured.RequiredBytes);
            image.Write(0, data);
        }

        Assert.InRange(new FileInfo(path).Length, 0, measured.FullyAllocatedBytes + OutgrownTable(path));

        // Half of it, in the order that costs the most tables for the least data.
        string sparse = _folder.File("sparse.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(sparse, size, options))
        {
            for (long at = size - 1; at >= 0; at -= 2L * clusterSize)
            {
                image.Write(at, "x"u8);
            }

            image.Flush();
            measured = ImageMeasure.ForDisk(image, options);
        }

        Assert.InRange(new FileInfo(sparse).Length, 0, measured.RequiredBytes + OutgrownTable(sparse));

        foreach (Preallocation how in (Preallocation[])[Preallocation.Metadata, Preallocation.Full])
        {
            string full = _folder.File($"{how}.qcow2");
            Qcow2Image.CreateFile(full, size, options with { Preallocation = how });
            Assert.InRange(new FileInfo(full).Length, 0, ImageMeasure.ForSize(size, options with { Preallocation = how }).FullyAllocatedBytes);
        }
    }

    /// <summary>A refcount table that grows with the file moves; what it leaves behind is smaller than itself and may stay unused.</summary>
    private static long OutgrownTable(string path)
    {
        using Qcow2Image image = Qcow2Image.Open(path);
        return image.Header.RefcountTableClusters > 1 ? (long)image.Header.RefcountTableClusters << image.Header.ClusterBits : 0;
    }

    private static int Bits(int clusterSize) => (int)Math.Log2(clusterSize);

    private static Qcow2CreateOptions RandomLayout(Random random)
    {
        bool isVersion2 = random.Next(6) == 0;
        bool isExtended = !isVersion2 && random.Next(3) == 0;
        var options = new Qcow2CreateOptions
        {
            Version = isVersion2 ? 2 : 3,
            ClusterSize = 1 << random.Next(isExtended ? 14 : 9, 22),
            RefcountBits = isVersion2 ? 16 : 1 << random.Next(7),
            ExtendedL2 = isExtended,
            DataFile = !isVersion2 && random.Next(8) == 0 ? "data.raw" : null,
        };
        return random.Next(5) switch
        {
            0 => options with { BackingFile = "base.raw", BackingFormat = "raw" },
            1 when !isVersion2 => options with { Preallocation = Preallocation.Metadata },
            2 when !isVersion2 => options with { Preallocation = Preallocation.Falloc },
            3 => options with { Preallocation = Preallocation.Full },
            _ => options,
        };
    }
}

using Qcow2.Engine.Comparison;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Comparison;

/// <summary>What two disks have in the same place is equal without being read; and nothing else is.</summary>
public sealed class SharedDataTests : IDisposable
{
    private const int Size = 20 << 20;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("v3")]
    [InlineData("compressed-mixed")]
    [InlineData("extl2-zstd")]
    [InlineData("luks")]
    public void Image_equals_itself_without_its_data(string name)
    {
        var storage = new MemoryStorage(File.ReadAllBytes(Fixtures.Get(name).Path));
        using Passphrase? passphrase = Fixtures.Get(name).Passphrase is string text ? Passphrase.FromString(text) : null;
        var options = new Qcow2OpenOptions { Passphrase = passphrase };
        using Qcow2Image image = Qcow2Image.Open(storage, options);
        using Qcow2Image again = Qcow2Image.Open(storage, options);
        ForbidData(storage, image);

        Assert.True(DiskComparer.Compare(image, again).AreEqual);
        Assert.True(DiskComparer.Compare(image, image).AreEqual);
    }

    [Fact]
    public void Snapshot_is_read_only_where_the_disk_has_other_clusters()
    {
        var storage = new MemoryStorage([]);
        byte[] data = Bytes(1);
        using (Qcow2Image created = Qcow2Image.Create(storage, Size))
        {
            created.Write(0, data);
            created.CreateSnapshot("before");
            created.Write(9 << 20, [(byte)~data[9 << 20]]);
        }

        using Qcow2Image image = Qcow2Image.Open(storage);
        using VirtualDisk before = image.OpenSnapshot(image.FindSnapshot("before"));
        long dataReads = 0;
        storage.BeforeRead = (_, length) => Interlocked.Add(ref dataReads, length);

        Qcow2CompareResult result = DiskComparer.Compare(before, image);

        Assert.Equal([new DiskRange(9 << 20, 4096)], result.Ranges);
        Assert.Equal(9 << 20, result.FirstDifference);
        Assert.InRange(dataReads, 2 * 65_536, 1 << 20);
    }

    [Fact]
    public void Overlay_is_read_only_where_it_has_data()
    {
        string basePath = _folder.File("base.qcow2");
        string path = _folder.File("overlay.qcow2");
        using (Qcow2Image created = Qcow2Image.Create(basePath, Size))
        {
            created.Write(0, Bytes(1));
        }

        using (Qcow2Image created = Qcow2Image.Create(path, null, new Qcow2CreateOptions { BackingFile = "base.qcow2", BackingFormat = "qcow2" }))
        {
            created.Write(5 << 20, new byte[100]);
        }

        using Qcow2Image overlay = Qcow2Image.Open(path);
        using Qcow2Image bottom = Qcow2Image.Open(basePath);
        DiskExtent[] shared = [.. overlay.GetExtents().Where(extent => extent.Depth == 1)];
        var layers = new DiskLayers(overlay);
        var others = new DiskLayers(bottom);
        DiskExtent whole = bottom.GetExtents().First();

        Assert.Equal(2, shared.Length);
        Assert.All(shared, extent => Assert.True(DiskLayers.AreSame(layers, extent, others, whole)));
        Assert.False(DiskLayers.AreSame(layers, overlay.GetExtents().Single(extent => extent.Depth == 0), others, whole));
        NaiveComparison.Of(overlay, bottom).AssertSaidOf(overlay, bottom);
    }

    [Fact]
    public void One_path_is_not_one_file()
    {
        using Qcow2Image disk = Create(1);
        using Qcow2Image other = Create(2);
        Assert.Equal(disk.Path, other.Path);
        Assert.Equal(disk.GetExtents(), other.GetExtents());

        Assert.Equal(Size, DiskComparer.Compare(disk, other).DifferingBytes);

        static Qcow2Image Create(int seed)
        {
            var storage = new MemoryStorage([]);
            using (Qcow2Image created = Qcow2Image.Create(storage, Size))
            {
                created.Write(0, Bytes(seed));
            }

            return Qcow2Image.Open(storage);
        }
    }

    [Fact]
    public void Raw_file_is_not_read_twice_at_the_same_place()
    {
        var storage = new MemoryStorage(Bytes(3));
        using RawDisk disk = RawDisk.Open(storage);
        using RawDisk again = RawDisk.Open(storage);
        storage.BeforeRead = (_, _) => throw new IOException("read");

        Assert.True(DiskComparer.Compare(disk, again).AreEqual);
    }

    [Fact]
    public void Image_that_is_being_written_is_compared_as_it_is_now()
    {
        var storage = new MemoryStorage([]);
        using Qcow2Image writer = Qcow2Image.Create(storage, Size);
        writer.Write(0, Bytes(4));
        writer.CreateSnapshot("before");
        using Qcow2Image reader = Qcow2Image.Open(storage);
        writer.Write(5 << 20, new byte[100]); // goes to a new cluster, of which the file's tables do not know yet

        Assert.Equal(5 << 20, DiskComparer.Compare(writer, reader).FirstDifference);
        using VirtualDisk before = writer.OpenSnapshot(writer.FindSnapshot("before"));
        Assert.True(DiskComparer.Compare(before, reader).AreEqual);
        Assert.True(DiskComparer.Compare(writer, writer).AreEqual);
    }

    [Fact]
    public void Legacy_encryption_with_two_passphrases_is_two_disks()
    {
        Fixture fixture = Fixtures.Get("aes");
        using Qcow2Image right = fixture.Open();
        using Qcow2Image wrong = fixture.Open("wrong");
        using Qcow2Image again = fixture.Open();

        Assert.False(DiskComparer.Compare(right, wrong).AreEqual);
        Assert.True(DiskComparer.Compare(right, again).AreEqual);
    }

    /// <summary>Makes reading data an error.</summary>
    private static void ForbidData(MemoryStorage storage, Qcow2Image image)
    {
        List<DiskExtent> placed = [.. image.GetExtents().Where(extent => extent.Kind == ExtentKind.Data && extent.HostOffset is not null)];
        storage.BeforeRead = (offset, length) =>
        {
            if (placed.Any(extent => offset < extent.HostOffset + extent.Length && extent.HostOffset < offset + length))
            {
                throw new IOException("data");
            }

            // Of compressed data no place is told; tables are read in slices of one size.
            if (length != Math.Min(16_384, image.Header.ClusterSize))
            {
                throw new IOException($"{length} bytes at {offset}");
            }
        };
        if (placed.Count > 0)
        {
            Assert.Throws<IOException>(() => image.Read(placed[0].Offset, new byte[512]));
        }
    }

    private static byte[] Bytes(int seed)
    {
        byte[] bytes = new byte[Size];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}

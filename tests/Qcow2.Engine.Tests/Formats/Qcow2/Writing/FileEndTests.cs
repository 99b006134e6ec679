using Qcow2.Engine.Chains;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <summary>
/// Whatever writes an image leaves a file that ends where a cluster does: 7-Zip, libqcow, go-qcow2reader and others read whole clusters.
/// </summary>
public sealed class FileEndTests : IDisposable
{
    private const int DiskSize = 10 << 20;

    private static readonly IReadOnlyDictionary<string, Qcow2CreateOptions> Layouts = new Dictionary<string, Qcow2CreateOptions>
    {
        ["plain"] = new(),
        ["512"] = new() { ClusterSize = 512 },
        ["2M"] = new() { ClusterSize = 2 << 20 },
        ["v2"] = new() { Version = 2 },
        ["extended"] = new() { ExtendedL2 = true },
        ["zstd"] = new() { CompressionType = CompressionType.Zstd },
        ["data file"] = new() { DataFile = "disk.data" },
        ["raw data file"] = new() { DataFile = "disk.data", DataFileRaw = true },
        ["luks"] = new() { Encryption = EncryptionMethod.Luks, KeyDerivationTime = TimeSpan.Zero },
    };

    private static readonly IReadOnlyDictionary<string, Action<FileEndTests, Qcow2CreateOptions>> Works = new Dictionary<string, Action<FileEndTests, Qcow2CreateOptions>>
    {
        ["created"] = (test, layout) => test.Make(layout, _ => { }),
        ["written"] = (test, layout) => test.Make(layout, image => image.Write(DiskSize - (1 << 20), [1, 2, 3])),
        ["written to its end"] = (test, layout) => test.Make(layout, image => image.Write(DiskSize - 1, [1])),
        ["converted"] = (test, layout) => DiskConverter.ConvertToQcow2(test.Source(), test.Image, test.WithKey(layout)),
        ["converted, sparse"] = (test, layout) => DiskConverter.ConvertToQcow2(
            test.Source(), test.Image, test.WithKey(layout), options: new() { SparseSize = 4096, ThrottleLimit = 4 }),
        ["converted into"] = (test, layout) => test.Make(layout, image => DiskConverter.ConvertInto(test.Source(), image)),
        ["grown"] = (test, layout) => test.Make(layout, image =>
        {
            image.Write(DiskSize - 512, [1]);
            image.Resize(DiskSize + 1024);
            image.Write(DiskSize, [1]);
        }),
        ["shrunk"] = (test, layout) => test.Make(layout, image =>
        {
            image.Write(DiskSize - 512, [1]);
            image.Resize(DiskSize - 1024, allowShrink: true);
        }),
        ["preallocated"] = (test, layout) => Qcow2Image.CreateFile(test.Image, DiskSize - 512, test.WithKey(layout) with { Preallocation = Preallocation.Full }),
        ["grown, preallocated"] = (test, layout) => test.Make(layout, image => image.Resize(DiskSize + 512, preallocation: Preallocation.Metadata)),
        ["discarded"] = (test, layout) => test.Make(layout, image =>
        {
            image.Write(0, new byte[DiskSize]);
            image.Discard(0, DiskSize);
        }),
    };

    /// <summary>What an external data file and encryption do not allow.</summary>
    private static readonly IReadOnlyDictionary<string, Action<FileEndTests, Qcow2CreateOptions>> PlainWorks = new Dictionary<string, Action<FileEndTests, Qcow2CreateOptions>>
    {
        ["compressed"] = (test, layout) => DiskConverter.ConvertToQcow2(test.Source(), test.Image, layout, options: new() { Compress = true }),
        ["compressed cluster"] = (test, layout) => test.Make(layout, image => image.WriteCompressed(0, new byte[layout.ClusterSize])),
        ["snapshots"] = (test, layout) => test.Make(layout, image =>
        {
            image.Write(DiskSize / 2, [1]);
            SnapshotTableEntry first = image.CreateSnapshot("a");
            image.Write(DiskSize / 2, [2]);
            image.CreateSnapshot("b");
            image.ApplySnapshot(first);
            image.DeleteSnapshot(first);
        }),
        ["exported"] = (test, layout) =>
        {
            test.Make(layout, image =>
            {
                image.Write(DiskSize / 2, [1]);
                image.CreateSnapshot("a");
            });
            string inner = test._folder.File("inner.qcow2");
            File.Move(test.Image, inner);
            using Qcow2Image whole = Qcow2Image.Open(inner);
            DiskConverter.ConvertToQcow2(whole.OpenSnapshot(whole.Snapshots[0]), test.Image, layout);
        },
        ["compacted"] = (test, layout) =>
        {
            DiskConverter.ConvertToQcow2(test.Source(), test.Image, layout, options: new() { Compress = true });
            ImageOptimizer.Optimize(test.Image, new ImageOptimizeOptions { ReplacesAlways = true });
        },
        ["merged into"] = (test, layout) =>
        {
            test.Make(layout, image => image.Write(DiskSize / 2, [1]));
            string overlay = test._folder.File("overlay.qcow2");
            using (Qcow2Image top = Qcow2Image.Create(overlay, DiskSize + 512, new() { BackingFile = "disk.qcow2", BackingFormat = "qcow2" }))
            {
                top.Write(DiskSize, [1]);
            }

            ImageMerge.Merge(overlay);
            AssertEnd(overlay);
        },
        ["rebased"] = (test, layout) =>
        {
            test._folder.Write("base.raw", new byte[DiskSize]);
            DiskConverter.ConvertToQcow2(test.Source(), test.Image, layout with { BackingFile = "base.raw", BackingFormat = "raw" });
            ImageRebase.Rebase(test.Image, new ImageRebaseOptions { BackingFile = null });
        },
        ["repaired"] = (test, layout) =>
        {
            test.Make(layout, image => image.Write(DiskSize / 2, [1]));
            long table;
            using (Qcow2Image image = Qcow2Image.Open(test.Image))
            {
                table = image.Header.RefcountTableOffset;
            }

            using (LocalFile file = LocalFile.OpenReadWrite(test.Image))
            {
                file.SetLength(file.Length - layout.ClusterSize + 1);
                file.Write(table, new byte[8]);
            }

            Qcow2Repairer.Repair(test.Image, Qcow2RepairMode.All);
        },
        ["bitmaps"] = (test, layout) => test.Make(layout with { Version = 3 }, image =>
        {
            image.CreateBitmap("b", 512);
            image.Write(DiskSize / 2, [1]);
        }),
    };

    private readonly TempFolder _folder = new();
    private readonly Passphrase _key = Passphrase.FromString("letmein");
    private readonly List<VirtualDisk> _open = [];

    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            foreach (string layout in Layouts.Keys)
            {
                bool isPlain = Layouts[layout] is { DataFile: null, Encryption: EncryptionMethod.None };
                foreach (string work in isPlain ? Works.Keys.Concat(PlainWorks.Keys) : Works.Keys)
                {
                    cases.Add(layout, work);
                }
            }

            return cases;
        }
    }

    private string Image => _folder.File("disk.qcow2");

    public void Dispose()
    {
        _open.ForEach(disk => disk.Dispose());
        _key.Dispose();
        _folder.Dispose();
    }

    [Theory, MemberData(nameof(Cases))]
    public void Every_path_leaves_whole_clusters(string layout, string work)
    {
        (Works.TryGetValue(work, out Action<FileEndTests, Qcow2CreateOptions>? make) ? make : PlainWorks[work])(this, Layouts[layout]);
        AssertEnd(Image);
        (int corruptions, int leaks, string output) = QemuJudge.Check(Image, layout == "luks" ? "letmein" : null);
        Assert.True(corruptions == 0 && leaks == 0, output);
        string data = _folder.File("disk.data");
        if (File.Exists(data))
        {
            Assert.Equal(Qcow2ImageInfo.Read(Image).Size, new FileInfo(data).Length);
        }
    }

    [Fact]
    public void A_flush_reaches_the_end_and_takes_no_space_and_no_flush_more()
    {
        using Qcow2Image made = Qcow2Image.Create(Image, DiskSize, new() { ClusterSize = 2 << 20 });
        made.Write(0, [1]); // With an L2 table, which is written whole.
        made.Flush();
        long before = Allocated();
        made.Write(DiskSize / 2, [1]);
        made.Flush();
        AssertEnd(Image);
        Assert.InRange(Allocated() - before, 0, 1 << 20);

        var storage = new MemoryStorage([]);
        int flushes = 0;
        using Qcow2Image image = Qcow2Image.Create(storage, DiskSize);
        image.Write(0, [1]);
        image.Flush();
        storage.BeforeFlush = () => flushes++;
        image.Write(DiskSize / 2, [1]);
        Assert.NotEqual(0, storage.Length % image.Header.ClusterSize);
        image.Flush();
        Assert.Equal(0, storage.Length % image.Header.ClusterSize);
        Assert.Equal(2, flushes);
    }

    [Fact]
    public void What_ends_inside_a_cluster_is_lengthened_by_the_first_write_and_not_by_looking()
    {
        Make(new(), image => image.Write(DiskSize / 2, Enumerable.Repeat((byte)7, 600).ToArray()));
        using (FileStream file = File.OpenWrite(Image))
        {
            file.SetLength(file.Length - 65_536 + 600);
        }

        byte[] before = File.ReadAllBytes(Image);
        using (Qcow2Image image = Qcow2Image.Open(Image))
        {
            Assert.Equal(DiskSize, DiskModel.ReadAll(image).Length);
        }

        Qcow2Image.Open(Image, new() { Writable = true }).Dispose();
        using (Qcow2Image image = Qcow2Image.Open(Image, new() { Writable = true }))
        {
            image.Flush();
        }

        Assert.Equal(before, File.ReadAllBytes(Image));
        using (Qcow2Image image = Qcow2Image.Open(Image, new() { Writable = true }))
        {
            image.Write(DiskSize / 2, [8]);
        }

        AssertEnd(Image);
    }

    [Fact]
    public void A_device_keeps_its_length_and_is_used_to_its_end()
    {
        // Room for 40 clusters and a half; what was there before is no zeros.
        var device = new DeviceStorage((40 * 65_536) + 32_768);
        Qcow2Image.Create(device, DiskSize).Dispose();
        device.Write(4 * 65_536, Enumerable.Repeat((byte)0xEE, (36 * 65_536) + 32_768).ToArray());
        device.IsFixed = true;
        var model = new byte[DiskSize];
        using (Qcow2Image image = Qcow2Image.Open(device, new Qcow2OpenOptions { Writable = true }))
        {
            for (int i = 0; i < 35; i++)
            {
                image.Write(i * 65_536, [1]);
                model[i * 65_536] = 1;
            }

            image.Flush();
            IOException error = Assert.ThrowsAny<IOException>(() => image.Write(40 * 65_536, [1]));
            Assert.Contains("the device has 2654208", error.Message, StringComparison.Ordinal);
            Assert.Equal(model, DiskModel.ReadAll(image));
            image.Empty();
            image.Write(0, [2]);
        }

        Assert.Equal((40 * 65_536) + 32_768, device.Length);
        model.AsSpan().Clear();
        model[0] = 2;
        using Qcow2Image again = Qcow2Image.Open(device);
        Assert.Equal(model, DiskModel.ReadAll(again));
    }

    [Fact]
    public void A_change_of_the_header_alone_completes_the_last_cluster_too()
    {
        Make(new(), image => image.Write(DiskSize / 2, [1]));
        _folder.Write("base.raw", new byte[DiskSize]);
        using (FileStream file = File.OpenWrite(Image))
        {
            file.SetLength(file.Length - 50_000);
        }

        ImageRebase.Rebase(Image, new ImageRebaseOptions { BackingFile = "base.raw", BackingFormat = "raw", MetadataOnly = true });
        AssertEnd(Image);
    }

    private Qcow2CreateOptions WithKey(Qcow2CreateOptions layout) => layout.Encryption == EncryptionMethod.None ? layout : layout with { Passphrase = _key };

    private void Make(Qcow2CreateOptions layout, Action<Qcow2Image> write)
    {
        using Qcow2Image image = Qcow2Image.Create(Image, DiskSize, WithKey(layout));
        write(image);
    }

    /// <summary>A disk whose last data is a small part of a cluster.</summary>
    private RawDisk Source()
    {
        byte[] content = new byte[DiskSize];
        new Random(1).NextBytes(content.AsSpan(0, 5000));
        content.AsSpan(5 << 19, 3000).Fill(7);
        var disk = RawDisk.Open(_folder.Write("source.raw", content));
        _open.Add(disk);
        return disk;
    }

    private long Allocated()
    {
        using LocalFile file = LocalFile.OpenRead(Image);
        return file.AllocatedLength;
    }

    private static void AssertEnd(string path)
    {
        int clusterSize = Qcow2ImageInfo.Read(path).ClusterSize ?? 0;
        Assert.Equal(0, new FileInfo(path).Length % clusterSize);
    }
}

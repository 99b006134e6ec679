using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Snapshots;

/// <summary>Random writes and snapshots over the matrix of layouts and the fixtures, against a model of each snapshot.</summary>
public sealed class SnapshotModelTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<int, int, int, bool, bool, CompressionType> Layouts
    {
        get
        {
            var layouts = new TheoryData<int, int, int, bool, bool, CompressionType>();
            foreach (bool hasBacking in (bool[])[false, true])
            {
                layouts.Add(2, 512, 16, false, hasBacking, CompressionType.Deflate);
                layouts.Add(2, 65_536, 16, false, hasBacking, CompressionType.Deflate);
                foreach (int bits in (int[])[2, 4, 8, 16, 32, 64])
                {
                    layouts.Add(3, 512, bits, false, hasBacking, CompressionType.Deflate);
                    layouts.Add(3, 4096, bits, false, hasBacking, CompressionType.Zstd);
                }

                layouts.Add(3, 16_384, 16, true, hasBacking, CompressionType.Deflate);
                layouts.Add(3, 65_536, 8, true, hasBacking, CompressionType.Zstd);
            }

            return layouts;
        }
    }

    public static TheoryData<string> FixturesWithSnapshots => Fixtures.Select(fixture
        => fixture.Error is null && fixture.ReferenceError is null && fixture.DiskSha256 is not null && fixture.Passphrase is null
            && fixture.Name.StartsWith("snapshots", StringComparison.Ordinal));

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Layouts))]
    public void New_image_agrees_with_the_model(int version, int clusterSize, int refcountBits, bool extendedL2, bool hasBacking, CompressionType compression)
    {
        string name = $"v{version} cluster {clusterSize} refcount {refcountBits}{(extendedL2 ? " extended" : "")}{(hasBacking ? " backing" : "")}";
        int seed = TestRounds.Seed(name);
        byte[] content = new byte[(clusterSize <= 512 ? 200_000 : clusterSize <= 4096 ? 700_160 : 3_000_320) & ~511];
        if (hasBacking)
        {
            new Random(seed).NextBytes(content);
            _folder.Write("base.raw", content);
        }

        var storage = new MemoryStorage([], _folder.File("image.qcow2"));
        using (Qcow2Image created = Qcow2Image.Create(storage, content.Length, new Qcow2CreateOptions
        {
            Version = version,
            ClusterSize = clusterSize,
            RefcountBits = refcountBits,
            ExtendedL2 = extendedL2,
            CompressionType = compression,
            LazyRefcounts = version == 3 && clusterSize == 512,
            BackingFile = hasBacking ? "base.raw" : null,
            BackingFormat = hasBacking ? "raw" : null,
        }))
        {
            Assert.Empty(created.Snapshots);
        }

        // The most snapshots that refcounts of two bits can count, beside the disk itself.
        Run(storage, $"{name}, QCOW2_TEST_SEED={seed}", new Random(seed), refcountBits == 2 ? 2 : 5, TestRounds.Times(60));
    }

    [Theory, MemberData(nameof(FixturesWithSnapshots))]
    public void Fixture_agrees_with_the_model(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        int seed = TestRounds.Seed(name);
        var storage = new MemoryStorage(File.ReadAllBytes(fixture.Path), fixture.CopyTo(_folder));
        Run(storage, $"{name}, QCOW2_TEST_SEED={seed}", new Random(seed), 8, TestRounds.Times(40));
    }

    private void Run(MemoryStorage storage, string label, Random random, int mostSnapshots, int steps)
    {
        string path = storage.Path;
        var writable = new Qcow2OpenOptions { Writable = true };
        Qcow2Image image = Qcow2Image.Open(storage, writable);
        try
        {
            var work = new SnapshotWork(image, SnapshotModel.Read(image), random);
            for (int i = 0; i < steps; i++)
            {
                switch (random.Next(12))
                {
                    case < 6:
                        work.WriteStep();
                        break;
                    case < 10:
                        Try(work.SnapshotStep(mostSnapshots), image.Header.RefcountOrder);
                        break;
                    case 10 when image.Bitmaps.Count == 0:
                        work.ResizeStep();
                        break;
                    default:
                        image.Dispose();
                        storage = new MemoryStorage(storage.Content, path);
                        image = Qcow2Image.Open(storage, writable);
                        work = new SnapshotWork(image, work.Model, random);
                        break;
                }

                if (i % 10 == 0)
                {
                    work.AssertEqual($"{label}, step {i}");
                }
            }

            work.AssertEqual(label);
            image.Dispose();
            File.WriteAllBytes(path, storage.Content);
            AgreeWithQemu(path, work.Model, label);
        }
        finally
        {
            image.Dispose();
        }
    }

    /// <summary>Compressed clusters may share a host cluster so often that counts of two bits have no room for a snapshot.</summary>
    private static void Try(Action step, RefcountOrder order)
    {
        try
        {
            step();
        }
        catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.LimitExceeded && order.Bits == 2)
        {
            // Nothing has changed, which the model tells.
        }
    }

    private void AgreeWithQemu(string path, SnapshotModel model, string label)
    {
        (int corruptions, int leaks, string output) = QemuJudge.Check(path);
        Assert.True(corruptions == 0 && leaks == 0, $"{label}: {output}");
        if (!QemuImg.IsAvailable)
        {
            return;
        }

        Assert.True(model.Disk.AsSpan().SequenceEqual(QemuJudge.Read(path, _folder)), $"{label}: qemu-img reads another disk.");
        string list = QemuImg.Run("snapshot", "-l", path);
        foreach ((string id, (string name, byte[] content)) in model.Snapshots)
        {
            Assert.Contains(list.Split('\n'), line => line.StartsWith(id + " ", StringComparison.Ordinal) && line.Contains(name, StringComparison.Ordinal));
            string raw = _folder.File("snapshot.raw");
            QemuImg.Run("convert", "-l", $"snapshot.id={id}", "-O", "raw", path, raw);
            byte[] found = File.ReadAllBytes(raw);

            // qemu-img converts a snapshot at the present size of the disk.
            int common = Math.Min(found.Length, content.Length);
            Assert.True(content.AsSpan(0, common).SequenceEqual(found.AsSpan(0, common)), $"{label}: qemu-img reads another snapshot {id}.");
        }
    }
}

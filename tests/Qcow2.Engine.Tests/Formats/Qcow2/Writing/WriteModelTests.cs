using Qcow2.Engine.Format;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <summary>Random operations against a model in memory, over the matrix of layouts; qemu-img has the last word.</summary>
public sealed class WriteModelTests : IDisposable
{
    private const string Overlay = "overlay.qcow2";
    private const string DataFile = "data.raw";

    // Damaged or not closed well, too large for a model, or whose check complains before we touch them.
    private static readonly string[] NotForWriting = ["bit-dirty", "bit-corrupt", "sparse-1t", "size-zero"];

    private readonly TempFolder _folder = new();

    public static TheoryData<int, int, int, bool, string> Layouts
    {
        get
        {
            var layouts = new TheoryData<int, int, int, bool, string>();
            foreach (int clusterSize in (int[])[512, 4096, 65_536, 2 << 20])
            {
                foreach (string below in (string[])["none", "raw", "qcow2", "shorter", "data-file", "data-file-raw", "data-file over raw"])
                {
                    bool hasDataFile = below.StartsWith("data-file", StringComparison.Ordinal);
                    if (!hasDataFile)
                    {
                        layouts.Add(2, clusterSize, 16, false, below);
                    }

                    foreach (int bits in hasDataFile ? (int[])[1, 16, 64] : [1, 2, 4, 8, 16, 32, 64])
                    {
                        layouts.Add(3, clusterSize, bits, false, below);
                        if (clusterSize >= 65_536)
                        {
                            layouts.Add(3, clusterSize, bits, true, below);
                        }
                    }
                }
            }

            return layouts;
        }
    }

    public static TheoryData<string> WritableFixtures => Fixtures.Select(
        fixture => fixture.DiskSha256 is not null && fixture.Error is null && fixture.ReferenceError is null && !NotForWriting.Contains(fixture.Name));

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Layouts))]
    public void New_image_agrees_with_the_model(int version, int clusterSize, int refcountBits, bool extendedL2, string below)
    {
        string name = $"v{version} cluster {clusterSize} refcount {refcountBits}{(extendedL2 ? " extended" : "")} {below}";
        int seed = TestRounds.Seed(name);
        int length = (clusterSize <= 4096 ? 3 << 20 : clusterSize == 65_536 ? 5 << 20 : 11 << 20) + (new Random(seed).Next(100) * 512);
        byte[] content = new byte[length];
        string? backingFile = MakeBacking(below, content, seed);
        bool hasDataFile = below.StartsWith("data-file", StringComparison.Ordinal);
        var options = new Qcow2CreateOptions
        {
            Version = version,
            ClusterSize = clusterSize,
            RefcountBits = refcountBits,
            ExtendedL2 = extendedL2,
            CompressionType = version == 3 && refcountBits is 2 or 8 or 32 ? CompressionType.Zstd : CompressionType.Deflate,
            BackingFile = backingFile,
            BackingFormat = backingFile is null ? null : below == "qcow2" ? "qcow2" : "raw",
            DataFile = hasDataFile ? DataFile : null,
            DataFileRaw = below == "data-file-raw",
        };
        var model = new DiskModel(content, clusterSize, seed, name);
        using var file = new TestFile(_folder.File(Overlay), inMemory: !hasDataFile);
        Qcow2Image image = file.Create(length, options);
        try
        {
            for (int i = TestRounds.Times(clusterSize > 65_536 ? 40 : 120); i > 0; i--)
            {
                model.Step(image, canResize: true);
                if (model.Random.Next(60) == 0)
                {
                    image.Dispose();
                    image = file.Open();
                    model.AssertEqual(image);
                }
            }

            model.AssertEqual(image);
        }
        finally
        {
            image.Dispose();
        }

        AssertClean(model, file.Save(), 0, null);
        if (below == "data-file-raw")
        {
            model.AssertEqual(File.ReadAllBytes(_folder.File(DataFile)));
        }
    }

    [Theory, MemberData(nameof(WritableFixtures))]
    public void Fixture_agrees_with_the_model(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        string path = fixture.CopyTo(_folder);
        using Passphrase? key = fixture.Passphrase is null ? null : Passphrase.FromString(fixture.Passphrase);
        var options = new Qcow2OpenOptions { Passphrase = key, Writable = true };
        (int corruptions, int leaks, _) = QemuJudge.Check(path, fixture.Passphrase);
        Assert.Equal(0, corruptions);

        Qcow2Image image = Qcow2Image.Open(path, options);
        DiskModel model;
        Dictionary<string, byte[]> snapshots = [];
        try
        {
            model = new DiskModel(DiskModel.ReadAll(image), image.Header.ClusterSize, TestRounds.Seed(name), name);
            snapshots = ReadSnapshots(image);
            bool canResize = image.Bitmaps.Count == 0 && (image.Header.Version >= 3 || snapshots.Count == 0);
            for (int i = TestRounds.Times(50); i > 0 && model.Content.Length > 0; i--)
            {
                model.Step(image, canResize);
                if (model.Random.Next(20) == 0)
                {
                    image.Dispose();
                    image = Qcow2Image.Open(path, options);
                }
            }

            model.AssertEqual(image);
        }
        finally
        {
            image.Dispose();
        }

        using (Qcow2Image again = Qcow2Image.Open(path, options with { Writable = false }))
        {
            model.AssertEqual(again);
            Dictionary<string, byte[]> after = ReadSnapshots(again);
            Assert.Equal(snapshots.Keys, after.Keys);
            Assert.All(snapshots, pair => Assert.True(pair.Value.AsSpan().SequenceEqual(after[pair.Key]), $"Snapshot {pair.Key} changed."));
            if (again.Header.AutoclearFeatures == 0 && name.StartsWith("bitmaps", StringComparison.Ordinal))
            {
                leaks = int.MaxValue; // Bitmaps that are out of date hold their clusters until somebody removes them.
            }
        }

        AssertClean(model, path, leaks, fixture.Passphrase);
    }

    private static Dictionary<string, byte[]> ReadSnapshots(Qcow2Image image)
        => image.Snapshots.ToDictionary(snapshot => snapshot.Id, snapshot => DiskModel.ReadAll(image.OpenSnapshot(snapshot)));

    private string? MakeBacking(string kind, byte[] content, int seed)
    {
        if (kind is "none" or "data-file" or "data-file-raw")
        {
            return null;
        }

        // Longer than most clusters, with stretches of zeros.
        byte[] data = new byte[kind == "shorter" ? (content.Length * 3 / 5) + 137 : content.Length];
        var random = new Random(seed);
        for (int start = 0; start < data.Length; start += 40_000)
        {
            if (random.Next(3) > 0)
            {
                random.NextBytes(data.AsSpan(start, Math.Min(40_000, data.Length - start)));
            }
        }

        data.CopyTo(content, 0);
        if (kind != "qcow2")
        {
            File.WriteAllBytes(_folder.File("base.raw"), data);
            return "base.raw";
        }

        using Qcow2Image image = Qcow2Image.Create(_folder.File("base.qcow2"), data.Length);
        image.Write(0, data);
        return "base.qcow2";
    }

    private void AssertClean(DiskModel model, string path, int knownLeaks, string? passphrase)
    {
        (int corruptions, int leaks, string output) = QemuJudge.Check(path, passphrase);
        if (corruptions > 0 || leaks > knownLeaks)
        {
            model.Fail(output);
        }

        if (QemuJudge.Read(path, _folder, passphrase) is byte[] content)
        {
            // qemu counts whole sectors only.
            model.AssertEqual([.. content, .. model.Content.AsSpan(content.Length)]);
            Assert.Equal(model.Content.Length & ~511, content.Length);
        }
    }

    /// <summary>An image file: in memory, or on the disk where it has a data file beside it.</summary>
    private sealed class TestFile(string path, bool inMemory) : IDisposable
    {
        private MemoryStorage? _storage = inMemory ? new MemoryStorage([], path) : null;

        public void Dispose() => _storage?.Dispose();

        internal Qcow2Image Create(long length, Qcow2CreateOptions options)
            => _storage is null ? Qcow2Image.Create(path, length, options) : Qcow2Image.Create(_storage, length, options);

        internal Qcow2Image Open()
        {
            var options = new Qcow2OpenOptions { Writable = true };
            if (_storage is null)
            {
                return Qcow2Image.Open(path, options);
            }

            _storage = new MemoryStorage(_storage.Content, path);
            return Qcow2Image.Open(_storage, options);
        }

        internal string Save()
        {
            if (_storage is not null)
            {
                File.WriteAllBytes(path, _storage.Content);
            }

            return path;
        }
    }
}

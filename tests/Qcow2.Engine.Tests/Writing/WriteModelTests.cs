using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Writing;

/// <summary>Random operations against a model in memory, over the matrix of layouts; qemu-img has the last word.</summary>
public sealed class WriteModelTests : IDisposable
{
    private const string Overlay = "overlay.qcow2";

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
                foreach (string backing in (string[])["none", "raw", "qcow2", "shorter"])
                {
                    layouts.Add(2, clusterSize, 16, false, backing);
                    foreach (int bits in (int[])[1, 2, 4, 8, 16, 32, 64])
                    {
                        layouts.Add(3, clusterSize, bits, false, backing);
                        if (clusterSize >= 65_536)
                        {
                            layouts.Add(3, clusterSize, bits, true, backing);
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
    public void New_image_agrees_with_the_model(int version, int clusterSize, int refcountBits, bool extendedL2, string backing)
    {
        string name = $"v{version} cluster {clusterSize} refcount {refcountBits}{(extendedL2 ? " extended" : "")} backing {backing}";
        int seed = TestRounds.Seed(name);
        int length = (clusterSize <= 4096 ? 3 << 20 : clusterSize == 65_536 ? 5 << 20 : 11 << 20) + (new Random(seed).Next(100) * 512);
        byte[] content = new byte[length];
        string? backingFile = MakeBacking(backing, content, seed);
        var options = new Qcow2CreateOptions
        {
            Version = version,
            ClusterSize = clusterSize,
            RefcountBits = refcountBits,
            ExtendedL2 = extendedL2,
            BackingFile = backingFile,
            BackingFormat = backingFile is null ? null : backing == "qcow2" ? "qcow2" : "raw",
        };
        var model = new DiskModel(content, clusterSize, seed, name);
        var storage = new MemoryStorage([], _folder.File(Overlay));
        Qcow2Image image = Qcow2Image.Create(storage, length, options);
        try
        {
            for (int i = TestRounds.Times(clusterSize > 65_536 ? 40 : 120); i > 0; i--)
            {
                switch (model.Random.Next(20))
                {
                    case < 12:
                        model.WriteSome(image);
                        break;
                    case < 18:
                        model.ReadSome(image);
                        break;
                    case 18:
                        image.Flush();
                        break;
                    default:
                        if (model.Random.Next(3) == 0)
                        {
                            image.Dispose();
                            storage = new MemoryStorage(storage.Content, storage.Path);
                            image = Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true });
                        }

                        break;
                }
            }

            model.AssertEqual(image);
        }
        finally
        {
            image.Dispose();
        }

        AssertClean(model, storage.Content, storage.Path);
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
            for (int i = TestRounds.Times(50); i > 0 && model.Content.Length > 0; i--)
            {
                switch (model.Random.Next(20))
                {
                    case < 14:
                        model.WriteSome(image);
                        break;
                    case < 18:
                        model.ReadSome(image);
                        break;
                    case 18:
                        image.Flush();
                        break;
                    default:
                        image.Dispose();
                        image = Qcow2Image.Open(path, options);
                        break;
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
        if (kind == "none")
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

    private void AssertClean(DiskModel model, byte[] file, string path)
    {
        File.WriteAllBytes(path, file);
        AssertClean(model, path, 0, null);
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
            model.AssertEqual(content);
        }
    }
}

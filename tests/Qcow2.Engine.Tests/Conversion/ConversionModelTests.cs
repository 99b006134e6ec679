using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>Random disks, made in random ways, in random layouts with random options: the copy holds what the model holds.</summary>
public sealed class ConversionModelTests : IDisposable
{
    private static readonly int[] ClusterSizes = [512, 4096, 16_384, 65_536, 2 << 20];
    private static readonly int[] RefcountWidths = [1, 2, 4, 8, 16, 32, 64];

    private readonly TempFolder _folder = new();

    public static TheoryData<int> Numbers => [.. Enumerable.Range(0, TestRounds.Times(25))];

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Numbers))]
    public void Copy_agrees_with_the_model(int number)
    {
        int seed = TestRounds.Seed("conversion") + number;
        var random = new Random(seed);
        using VirtualDisk source = MakeSource(random, out byte[] content);
        var options = new ConversionOptions
        {
            ThrottleLimit = random.Next(1, 5),
            SparseSize = random.Next(6) == 0 ? 0 : 512 << random.Next(13),
            Salvage = random.Next(4) == 0,
        };
        if (random.Next(5) == 0)
        {
            string raw = _folder.File("copy.raw");
            DiskConverter.ConvertToRaw(source, raw, options: options);
            ConversionJudge.AssertSame($"QCOW2_TEST_SEED={seed}, {options}", content, File.ReadAllBytes(raw));
            return;
        }

        using var key = Passphrase.FromString(ConversionJudge.Password);
        Qcow2CreateOptions layout = NextLayout(random, key, content);
        bool canCompress = layout.Encryption == EncryptionMethod.None && layout.DataFile is null;
        options = options with { Compress = canCompress && random.Next(2) == 0 };
        string label = $"QCOW2_TEST_SEED={seed}, {options}, {layout}, {content.Length} bytes";
        string path = _folder.File("copy.qcow2");

        ConversionResult result = DiskConverter.ConvertToQcow2(source, path, layout, options: options);

        Assert.Empty(result.Unreadable);
        ConversionJudge.AssertImage(
            label, ConversionJudge.WholeSectors(content), path, layout.Encryption != EncryptionMethod.None, asksQemu: number % 2 == 0);
    }

    [Theory, MemberData(nameof(Numbers))]
    public void Existing_image_agrees_with_the_model_before_and_behind_the_copy(int number)
    {
        int seed = TestRounds.Seed("conversion into") + number;
        var random = new Random(seed);
        using VirtualDisk source = MakeSource(random, out byte[] content);
        using var key = Passphrase.FromString(ConversionJudge.Password);
        byte[] old = new byte[content.Length + (random.Next(3) == 0 ? 0 : random.Next(200_000))];
        random.NextBytes(old.AsSpan(0, old.Length / 2));
        Qcow2CreateOptions layout = NextLayout(random, key, old) with { Preallocation = Preallocation.Off };
        string path = _folder.File("copy.qcow2");
        var options = new ConversionOptions { ThrottleLimit = random.Next(1, 5), SparseSize = random.Next(6) == 0 ? 0 : 512 << random.Next(13) };
        string label = $"QCOW2_TEST_SEED={seed}, {options}, {layout}, {content.Length} bytes into {old.Length}";
        byte[]? snapshot = null;
        bool isEncrypted = layout.Encryption != EncryptionMethod.None;
        using (Qcow2Image image = Qcow2Image.Create(path, old.Length, layout).ResizeExactly(old.Length))
        {
            var model = new DiskModel(DiskModel.ReadAll(image), layout.ClusterSize, seed, label);
            for (int i = random.Next(20); i > 0 && old.Length > 0; i--)
            {
                model.Step(image, canResize: false);
                if (random.Next(10) == 0 && snapshot is null && layout.DataFile is null && layout.RefcountBits > 1)
                {
                    image.CreateSnapshot("before");
                    snapshot = [.. model.Content];
                }
            }

            model.AssertEqual(image);
            bool canCompress = !isEncrypted && layout.DataFile is null;

            DiskConverter.ConvertInto(source, image, isZero: false, options with { Compress = canCompress && random.Next(2) == 0 });

            content.CopyTo(model.Content, 0);
            model.AssertEqual(image);
            old = model.Content;
        }

        ConversionJudge.AssertImage(label, old, path, isEncrypted, asksQemu: number % 2 == 0 && old.Length % 512 == 0);
        if (snapshot is not null)
        {
            using Qcow2Image image = Qcow2Image.Open(path, new Qcow2OpenOptions { Passphrase = isEncrypted ? key : null });
            ConversionJudge.AssertSame(label, snapshot, DiskModel.ReadAll(image.OpenSnapshot(image.Snapshots[0])));
        }
    }

    private Qcow2CreateOptions NextLayout(Random random, Passphrase key, byte[] like)
    {
        int version = random.Next(4) == 0 ? 2 : 3;
        int clusterSize = ClusterSizes[random.Next(ClusterSizes.Length)];
        int kind = random.Next(8);
        string? backing = kind >= 5 ? MakeBacking(random, like) : null;
        bool hasDataFile = version == 3 && kind is 0 or 5;
        bool isRaw = hasDataFile && backing is null && random.Next(2) == 0;
        bool isEncrypted = !hasDataFile && kind is 1 or 6;
        return new Qcow2CreateOptions
        {
            Version = version,
            ClusterSize = clusterSize,
            RefcountBits = version == 2 ? 16 : RefcountWidths[random.Next(RefcountWidths.Length)],
            ExtendedL2 = version == 3 && clusterSize >= 16_384 && random.Next(3) == 0,
            CompressionType = version == 3 && random.Next(2) == 0 ? CompressionType.Zstd : CompressionType.Deflate,
            LazyRefcounts = version == 3 && random.Next(4) == 0,
            Preallocation = backing is null && random.Next(3) == 0 ? (Preallocation)random.Next(4) : Preallocation.Off,
            DataFile = hasDataFile && version == 3 ? "copy.data" : null,
            DataFileRaw = isRaw && version == 3,
            Encryption = isEncrypted ? EncryptionMethod.Luks : EncryptionMethod.None,
            Passphrase = isEncrypted ? key : null,
            KeyDerivationTime = TimeSpan.Zero,
            BackingFile = backing,
            BackingFormat = backing is null ? null : "raw",
        };
    }

    /// <summary>A file that is like the disk in places, and longer, shorter or as long.</summary>
    private string MakeBacking(Random random, byte[] like)
    {
        byte[] content = new byte[Math.Max(0, random.Next(3) switch { 0 => like.Length, 1 => like.Length * 2 / 3, _ => like.Length + random.Next(70_000) })];
        random.NextBytes(content);
        for (int start = 0; start < Math.Min(content.Length, like.Length); start += 1 + random.Next(30_000))
        {
            int length = Math.Min(Math.Min(content.Length, like.Length) - start, random.Next(30_000));
            like.AsSpan(start, length).CopyTo(content.AsSpan(start));
        }

        _folder.Write("base.raw", content);
        return "base.raw";
    }

    private VirtualDisk MakeSource(Random random, out byte[] content)
    {
        int length = random.Next(12) == 0 ? 0 : random.Next(4) switch
        {
            0 => 512 * random.Next(1, 3000),
            1 => 65_536 * random.Next(1, 30),
            _ => random.Next(1, 2_000_000),
        };
        content = new byte[length];
        if (length == 0 || random.Next(3) == 0)
        {
            for (int start = random.Next(10_000); start < length; start += random.Next(1, 200_000))
            {
                random.NextBytes(content.AsSpan(start, Math.Min(length - start, random.Next(1, 70_000))));
            }

            return RawDisk.Open(new MemoryStorage(content));
        }

        int clusterSize = ClusterSizes[random.Next(4)];
        string? below = random.Next(2) == 0 ? "below.raw" : null;
        if (below is not null)
        {
            random.NextBytes(content.AsSpan(0, length / 2));
            _folder.Write(below, content.AsSpan(0, length / 2));
        }

        using var image = new MemoryStorage([], _folder.File("source.qcow2"));
        var model = new DiskModel(content, clusterSize, random.Next(), "source");
        byte[]? snapshot = null;
        using (Qcow2Image disk = Qcow2Image.Create(image, length, new Qcow2CreateOptions
        {
            ClusterSize = clusterSize,
            ExtendedL2 = clusterSize >= 16_384 && random.Next(2) == 0,
            BackingFile = below,
            BackingFormat = below is null ? null : "raw",
        }).ResizeExactly(length))
        {
            for (int i = random.Next(30); i > 0; i--)
            {
                model.Step(disk, canResize: false);
                if (random.Next(15) == 0 && snapshot is null)
                {
                    disk.CreateSnapshot("one");
                    snapshot = [.. model.Content];
                }
            }
        }

        Qcow2Image source = Qcow2Image.Open(new MemoryStorage(image.Content, image.Path));
        bool isSnapshot = snapshot is not null && random.Next(2) == 0;
        content = isSnapshot ? snapshot! : model.Content;
        return isSnapshot ? source.OpenSnapshot(source.Snapshots[0]) : source;
    }
}

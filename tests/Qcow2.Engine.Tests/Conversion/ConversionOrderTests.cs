using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>The same disk makes the same file, however many threads copy it.</summary>
/// <remarks>
/// An encrypted image has a random key, so its bytes differ between any two runs; its allocation is that of a plain one, which the maps say.
/// </remarks>
public sealed class ConversionOrderTests : IDisposable
{
    private const int Size = (9 << 20) + 12_288;

    private static readonly int[] Threads = [1, 2, 8, 2];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("plain")]
    [InlineData("cluster 512")]
    [InlineData("compressed")]
    [InlineData("compressed zstd")]
    [InlineData("extended")]
    [InlineData("backing")]
    [InlineData("backing, compressed")]
    [InlineData("data file")]
    public void Files_do_not_depend_on_the_number_of_threads(string name)
    {
        byte[] content = Content(name);
        byte[] below = [.. content];
        new Random(2).NextBytes(below.AsSpan(0, 100_000));
        Array.Clear(below, 500_000, 300_000);
        _folder.Write("base.raw", below);
        bool hasBacking = name.StartsWith("backing", StringComparison.Ordinal);
        var layout = new Qcow2CreateOptions
        {
            ClusterSize = name == "cluster 512" ? 512 : 65_536,
            ExtendedL2 = name == "extended",
            CompressionType = name.EndsWith("zstd", StringComparison.Ordinal) ? CompressionType.Zstd : CompressionType.Deflate,
            BackingFile = hasBacking ? "base.raw" : null,
            BackingFormat = hasBacking ? "raw" : null,
            DataFile = name == "data file" ? "copy.data" : null,
        };
        bool compress = name.Contains("compressed", StringComparison.Ordinal);
        byte[]? first = null;
        foreach (int threads in Threads)
        {
            using RawDisk source = RawDisk.Open(new MemoryStorage([.. content]));
            string path = _folder.File("copy.qcow2");

            DiskConverter.ConvertToQcow2(
                source, path, layout, overwrite: true, new ConversionOptions { ThrottleLimit = threads, Compress = compress });

            byte[] made = File.ReadAllBytes(path);
            if (layout.DataFile is not null)
            {
                made = [.. made, .. File.ReadAllBytes(_folder.File("copy.data"))];
            }

            first ??= made;
            ConversionJudge.AssertSame($"{name}, {threads} threads", first, made);
        }

        ConversionJudge.AssertImage(name, content, _folder.File("copy.qcow2"));
    }

    [Theory]
    [InlineData("empty")]
    [InlineData("empty, small cache")]
    [InlineData("old data")]
    [InlineData("snapshot")]
    [InlineData("old data, compressed")]
    public void Existing_image_does_not_depend_on_the_number_of_threads(string name)
    {
        byte[] content = Content(name);
        byte[] start = MakeDestination(name);
        byte[]? first = null;
        foreach (int threads in Threads)
        {
            using RawDisk source = RawDisk.Open(new MemoryStorage([.. content]));
            using var storage = new MemoryStorage([.. start]);
            int cache = name.EndsWith("small cache", StringComparison.Ordinal) ? 1 : 32 << 20;
            using (Qcow2Image image = Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true, L2CacheSize = cache }))
            {
                bool isZero = name.StartsWith("empty", StringComparison.Ordinal);
                bool compress = name.EndsWith("compressed", StringComparison.Ordinal);

                DiskConverter.ConvertInto(source, image, isZero, new ConversionOptions { ThrottleLimit = threads, Compress = compress });
            }

            first ??= [.. storage.Content];
            ConversionJudge.AssertSame($"{name}, {threads} threads", first, storage.Content);
        }

        ConversionJudge.AssertImage(name, content, _folder.Write("copy.qcow2", first!));
    }

    [Fact]
    public void Encrypted_clusters_are_allocated_in_the_order_of_the_disk()
    {
        byte[] content = Content("luks");
        using var key = Passphrase.FromString(ConversionJudge.Password);
        var layout = new Qcow2CreateOptions { Encryption = EncryptionMethod.Luks, Passphrase = key, KeyDerivationTime = TimeSpan.Zero };
        List<DiskExtent>? first = null;
        foreach (int threads in Threads)
        {
            using RawDisk source = RawDisk.Open(new MemoryStorage([.. content]));
            string path = _folder.File("copy.qcow2");

            DiskConverter.ConvertToQcow2(source, path, layout, overwrite: true, new ConversionOptions { ThrottleLimit = threads });

            using Qcow2Image copy = Qcow2Image.Open(path, new Qcow2OpenOptions { Passphrase = key });
            ConversionJudge.AssertSame("luks", content, DiskModel.ReadAll(copy));
            List<DiskExtent> extents = [.. copy.GetExtents()];
            first ??= extents;
            Assert.Equal(first, extents);
        }
    }

    private static byte[] MakeDestination(string name)
    {
        using var storage = new MemoryStorage([]);
        using (Qcow2Image image = Qcow2Image.Create(storage, Size, new Qcow2CreateOptions { ClusterSize = name.StartsWith("empty", StringComparison.Ordinal) ? 512 : 4096 }))
        {
            if (!name.StartsWith("empty", StringComparison.Ordinal))
            {
                var model = new DiskModel(new byte[Size], 4096, 5, name);
                for (int i = 0; i < 100; i++)
                {
                    model.Step(image, canResize: false);
                }
            }

            if (name == "snapshot")
            {
                image.CreateSnapshot("before");
            }
        }

        return storage.Content;
    }

    /// <summary>Stretches of random bytes, of what compresses, of zeros, and small things here and there.</summary>
    private static byte[] Content(string name)
    {
        var random = new Random(TestRounds.Seed(name));
        byte[] content = new byte[Size];
        for (int start = 0; start < Size;)
        {
            int length = Math.Min(Size - start, random.Next(1, 400_000));
            Span<byte> part = content.AsSpan(start, length);
            switch (random.Next(4))
            {
                case 0:
                    random.NextBytes(part);
                    break;
                case 1:
                    for (int i = 0; i < length; i += random.Next(1, 60))
                    {
                        part[i] = (byte)i;
                    }

                    break;
                case 2:
                    part[random.Next(length)] = 1;
                    break;
            }

            start += length;
        }

        return content;
    }
}

using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>
/// What a copy shares with its source and what it copies, with files in memory that share what they are asked to: so that each request is looked at, and
/// each can be refused.
/// </summary>
public sealed class SharedExtentTests : IDisposable
{
    private const int Block = 4096;
    private const int Size = (4 << 20) + 12_288 + 512;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, string> Pairs
    {
        get
        {
            var pairs = new TheoryData<string, string>();
            foreach (string source in (string[])["raw", "plain", "small clusters", "extended", "overlay", "compressed in part", "vhdx"])
            {
                foreach (string destination in (string[])["raw", "old raw", "plain", "extended", "old data", "snapshot"])
                {
                    pairs.Add(source, destination);
                }
            }

            pairs.Add("raw", "2 MiB clusters");

            return pairs;
        }
    }

    [Theory, MemberData(nameof(Pairs))]
    public void Copy_is_the_same_whichever_sharing_is_refused(string source, string destination)
    {
        byte[] content = Content();
        byte[][] files = SourceFiles(source, content);
        byte[] start = Destination(destination);
        for (int refused = 0; ; refused += refused + 1)
        {
            using VirtualDisk disk = OpenSource(files);
            int requests = 0;
            int failing = refused;
            using var storage = new MemoryStorage([.. start])
            {
                ShareBlock = Block,
                BeforeShare = (_, _) => Interlocked.Increment(ref requests) - 1 != failing,
            };

            ConversionResult result;
            byte[] made;
            using (VirtualDisk into = OpenDestination(destination, storage))
            {
                result = DiskConverter.ConvertInto(disk, into, isZero: destination is "raw" or "plain" or "extended" or "2 MiB clusters");
                made = DiskModel.ReadAll(into);
            }

            string label = $"{source} to {destination}, refused {refused}";
            ConversionJudge.AssertSame(label, content, made.AsSpan(0, content.Length));
            if (!destination.EndsWith("raw", StringComparison.Ordinal))
            {
                ImageAuditor audit = ImageAuditor.Audit(storage.Content);
                Assert.True(audit.Corruptions.Count == 0 && audit.Leaks == 0, $"{label}: {audit.Leaks} leaks, {string.Join('\n', audit.Corruptions.Take(5))}");
            }

            if (requests <= refused)
            {
                Assert.Null(result.SharingRefusal);
                Assert.True(result.SharedBytes > 500_000, $"{label}: {result.SharedBytes} bytes were shared.");
                break;
            }

            Assert.Equal("the test refuses it", result.SharingRefusal);
        }
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("extended")]
    [InlineData("snapshot")]
    public void Image_does_not_depend_on_the_number_of_threads(string destination)
    {
        byte[][] files = SourceFiles("compressed in part", Content());
        byte[] start = Destination(destination);
        byte[]? first = null;
        foreach (int threads in (int[])[1, 2, 8, 2])
        {
            using VirtualDisk disk = OpenSource(files);
            using var storage = new MemoryStorage([.. start]) { ShareBlock = Block };
            using (VirtualDisk into = OpenDestination(destination, storage))
            {
                DiskConverter.ConvertInto(disk, into, destination != "snapshot", new ConversionOptions { ThrottleLimit = threads });
            }

            first ??= storage.Content;
            ConversionJudge.AssertSame($"{threads} threads", first, storage.Content);
        }
    }

    [Fact]
    public void What_is_shared_is_not_read_and_long_runs_are_one_request()
    {
        byte[] content = new byte[80 << 20];
        content.AsSpan().Fill(7);
        using var file = new MemoryStorage(content);
        using RawDisk source = RawDisk.Open(file);
        var lengths = new List<long>();
        using var storage = new MemoryStorage([]) { ShareBlock = Block };
        storage.BeforeShare = (_, length) =>
        {
            lengths.Add(length);
            return true;
        };
        var reports = new LastProgress();

        ConversionResult result = DiskConverter.ConvertToRaw(source, storage, new ConversionOptions { RateLimit = 1 << 20 }, reports);

        Assert.Equal(content.Length, result.SharedBytes);
        Assert.Equal(3, lengths.Count);
        Assert.Equal(3, file.Reads); // By the sharing, which copies here: one for each.
        Assert.Equal(content.Length, reports.Last.BytesDone);
        ConversionJudge.AssertSame("raw", content, storage.Content);
    }

    public static TheoryData<string> WaysOff => ["ShareExtents", "SparseSize", "Salvage", "Compress", "Encryption", "512-byte blocks", "clusters of 1 KiB", "host"];

    [Theory, MemberData(nameof(WaysOff))]
    public void Nothing_is_shared_where_that_is_not_wanted_or_not_possible(string why)
    {
        byte[] content = Content();
        content.AsSpan(0, 1 << 20).Fill(3);
        using RawDisk source = RawDisk.Open(new MemoryStorage(content));
        using var storage = new MemoryStorage([]) { ShareBlock = why == "host" ? 0 : Block, BeforeShare = (_, _) => throw new InvalidOperationException(why) };
        ConversionOptions options = why switch
        {
            "ShareExtents" => new() { ShareExtents = false },
            "SparseSize" => new() { SparseSize = 0 },
            "Salvage" => new() { Salvage = true },
            "Compress" => new() { Compress = true },
            _ => new(),
        };
        ConversionResult result;
        if (why is "Compress" or "Encryption" or "clusters of 1 KiB")
        {
            using Passphrase key = Passphrase.FromString(ConversionJudge.Password);
            bool isEncrypted = why == "Encryption";
            var layout = isEncrypted
                ? new Qcow2CreateOptions { Encryption = EncryptionMethod.Luks, Passphrase = key, KeyDerivationTime = TimeSpan.Zero }
                : new Qcow2CreateOptions { ClusterSize = why == "Compress" ? 65_536 : 1024 };
            using Qcow2Image image = Qcow2Image.Create(storage, Size, layout);
            result = DiskConverter.ConvertInto(source, image, isZero: true, options);
            ConversionJudge.AssertSame(why, content, DiskModel.ReadAll(image).AsSpan(0, Size));
        }
        else if (why == "512-byte blocks")
        {
            // A dynamic VHD has a sector before each block, so that nothing in it lies where it could be shared.
            string path = _folder.File("disk.vhd");
            result = DiskConverter.Convert(source, path, new VhdCreateOptions { Through = file => new WatchedStorage(file, (_, _) => { }) });
        }
        else
        {
            result = DiskConverter.ConvertToRaw(source, storage, options);
            ConversionJudge.AssertSame(why, content, storage.Content);
        }

        Assert.Equal(0, result.SharedBytes);
        Assert.Equal(why is "ShareExtents" or "SparseSize" or "Salvage", result.SharingRefusal is null);
    }

    /// <summary>Stretches of random bytes and of zeros, a few of which are shorter than a block.</summary>
    private static byte[] Content()
    {
        var random = new Random(16);
        byte[] content = new byte[Size];
        for (int start = 0; start < Size;)
        {
            int length = Math.Min(Size - start, random.Next(1, 900_000));
            if (random.Next(4) > 0)
            {
                random.NextBytes(content.AsSpan(start, length));
            }

            start += length;
        }

        return content;
    }

    /// <summary>The files of a disk, the one that is opened last.</summary>
    private byte[][] SourceFiles(string name, byte[] content)
    {
        string path = _folder.File("source");
        using RawDisk raw = RawDisk.Open(new MemoryStorage(content));
        switch (name)
        {
            case "raw":
                return [content];
            case "vhdx":
                DiskConverter.Convert(raw, path, new VhdxCreateOptions(), overwrite: true);
                return [File.ReadAllBytes(path)];
            case "overlay":
                DiskConverter.ConvertToQcow2(raw, path, overwrite: true);
                byte[] below = File.ReadAllBytes(path);
                using (Qcow2Image image = Qcow2Image.Create(path + ".over", Size, new Qcow2CreateOptions { BackingFile = "source", BackingFormat = "qcow2" }, overwrite: true))
                {
                    var random = new Random(3);
                    for (int i = 0; i < 8; i++)
                    {
                        byte[] piece = new byte[random.Next(1, 200_000)];
                        random.NextBytes(piece);
                        int at = random.Next(Size - piece.Length);
                        piece.CopyTo(content, at);
                        image.Write(at, piece);
                    }

                    image.WriteZeroes(1 << 20, 500_000);
                    content.AsSpan(1 << 20, 500_000).Clear();
                }

                return [below, File.ReadAllBytes(path + ".over")];
            default:
                var layout = new Qcow2CreateOptions { ClusterSize = name == "small clusters" ? 4096 : 65_536, ExtendedL2 = name == "extended" };
                using (Qcow2Image image = Qcow2Image.Create(path, Size, layout, overwrite: true))
                {
                    // Not in the order of the disk.
                    var random = new Random(5);
                    int[] parts = [.. Enumerable.Range(0, (Size + (1 << 20) - 1) >> 20).OrderBy(_ => random.Next())];
                    foreach (int part in parts)
                    {
                        int length = Math.Min(1 << 20, Size - (part << 20));
                        if (name == "compressed in part" && part % 3 == 0)
                        {
                            for (int i = 0; i < length; i += 65_536)
                            {
                                image.WriteCompressed((part << 20) + i, content.AsSpan((part << 20) + i, Math.Min(65_536, length - i)));
                            }
                        }
                        else
                        {
                            image.Write(part << 20, content.AsSpan(part << 20, length));
                        }
                    }
                }

                return [File.ReadAllBytes(path)];
        }
    }

    private static VirtualDisk OpenSource(byte[][] files)
    {
        byte[] top = files[^1];
        if (top.AsSpan(0, 8).SequenceEqual("vhdxfile"u8))
        {
            return Engine.Formats.Vhdx.VhdxDisk.Open(new MemoryStorage(top), _ => throw new InvalidOperationException());
        }

        return !top.AsSpan(0, 4).SequenceEqual("QFI\xfb"u8) && top[0] != (byte)'Q' ? RawDisk.Open(new MemoryStorage(top))
            : files.Length == 1 ? Qcow2Image.Open(new MemoryStorage(top))
            : Qcow2Image.OpenOver(new MemoryStorage(top), Qcow2Image.Open(new MemoryStorage(files[0])), Qcow2OpenOptions.Default);
    }

    private static byte[] Destination(string name)
    {
        if (name == "raw")
        {
            return new byte[Size];
        }

        if (name == "old raw")
        {
            byte[] old = new byte[Size + 1000];
            old.AsSpan().Fill(9);
            return old;
        }

        using var storage = new MemoryStorage([]);
        var layout = new Qcow2CreateOptions { ClusterSize = name == "2 MiB clusters" ? 2 << 20 : 65_536, ExtendedL2 = name == "extended" };
        using (Qcow2Image image = Qcow2Image.Create(storage, Size, layout))
        {
            if (name is "old data" or "snapshot")
            {
                byte[] old = new byte[1 << 20];
                old.AsSpan().Fill(9);
                image.Write(500_000, old);
                image.Write(Size - (400 << 10), old.AsSpan(0, 300_000));
            }

            if (name == "snapshot")
            {
                image.CreateSnapshot("before");
            }
        }

        return storage.Content;
    }

    private static VirtualDisk OpenDestination(string name, MemoryStorage storage)
        => name.EndsWith("raw", StringComparison.Ordinal) ? RawDisk.Open(storage, isWritable: true) : Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true });

    private sealed class LastProgress : IProgress<WorkProgress>
    {
        internal WorkProgress Last { get; private set; }

        public void Report(WorkProgress value)
        {
            if (value.BytesDone > Last.BytesDone)
            {
                Last = value;
            }
        }
    }
}

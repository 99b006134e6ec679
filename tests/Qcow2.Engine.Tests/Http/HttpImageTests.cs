using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.Engine.Http;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Http;

/// <summary>Disks of files on a server: the same as those of the same files here, and nothing else opened.</summary>
public sealed class HttpImageTests : IDisposable
{
    private static readonly HttpFileOptions Quick = new() { UseProxy = false, MaxRetryCount = 200, RetryInterval = TimeSpan.FromMilliseconds(1) };

    /// <summary>How often each conversion is cut anew; QCOW2_FUZZ_ROUNDS for the long form.</summary>
    private static int Rounds => int.TryParse(Environment.GetEnvironmentVariable("QCOW2_FUZZ_ROUNDS"), out int rounds) ? Math.Max(1, rounds / 20) : 1;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("fragmented", 1)]
    [InlineData("zlib", 2)]
    [InlineData("zstd", 8)]
    [InlineData("snapshots", 2)]
    [InlineData("extended", 2)]
    public void Is_converted_to_the_same_bytes_whatever_is_cut(string name, int threads)
    {
        byte[] image = Image(name);
        string here = _folder.Write("here.qcow2", image);
        string[] made = [_folder.File("here.raw"), _folder.File("there.raw"), _folder.File("here-copy.qcow2"), _folder.File("there-copy.qcow2")];
        using var server = new HttpTestServer(image);
        var random = new Random(3);
        server.Answer = (_, reply) => HttpFileTests.Changed(reply, changed =>
        {
            lock (random)
            {
                changed.CutAfter = random.Next(3) == 0 ? random.Next(reply.Body.Length) : null;
            }
        });
        ConversionOptions options = new() { ThrottleLimit = threads };
        DiskFormat format = DiskFormats.Get("qcow2");
        using (VirtualDisk disk = format.Open(here))
        {
            DiskConverter.Convert(disk, made[0], RawCreateOptions.Default, false, options);
            DiskConverter.Convert(disk, made[2], Qcow2CreateOptions.Default, false, options with { Compress = true });
        }

        for (int round = 0; round < Rounds; round++)
        {
            using HttpFile file = HttpFile.Open(server.Address(), Quick with { CacheSize = (4 + (round % 3 * 30)) << 20 });
            using (VirtualDisk disk = format.Open(new Engine.Storage.BorrowedStorage(file)))
            {
                DiskConverter.Convert(disk, made[1], RawCreateOptions.Default, true, options with { ReadAheadSize = 32 << 20 });
            }

            using (VirtualDisk disk = format.Open(new Engine.Storage.BorrowedStorage(file)))
            {
                DiskConverter.Convert(disk, made[3], Qcow2CreateOptions.Default, true, options with { Compress = true });
            }

            Assert.Equal(File.ReadAllBytes(made[0]), File.ReadAllBytes(made[1]));
            Assert.Equal(File.ReadAllBytes(made[2]), File.ReadAllBytes(made[3]));
        }
    }

    [Fact]
    public void Is_asked_for_in_the_order_of_the_disk_where_its_clusters_lie_in_none()
    {
        // 256 clusters of data, the last ones first.
        string path = _folder.File("backwards.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(path, 16 << 20))
        {
            for (int i = 255; i >= 0; i--)
            {
                image.Write(i * 65_536L, [.. Enumerable.Repeat((byte)(i + 1), 65_536)]);
            }
        }

        byte[] bytes = File.ReadAllBytes(path);
        using var server = new HttpTestServer(bytes);
        server.Answer = (_, reply) => HttpFileTests.Changed(reply, changed => changed.Delay = TimeSpan.FromMilliseconds(10));
        using HttpFile file = HttpFile.Open(server.Address(), Quick with { MaxRequests = 6 });
        using VirtualDisk disk = DiskFormats.Get("qcow2").Open(new Engine.Storage.BorrowedStorage(file));
        string copy = _folder.File("copy.raw");
        DiskConverter.Convert(disk, copy, RawCreateOptions.Default, false, new ConversionOptions { ThrottleLimit = 1, ReadAheadSize = 8 << 20 });
        byte[] made = File.ReadAllBytes(copy);
        Assert.All(Enumerable.Range(0, 256), i => Assert.Equal((byte)(i + 1), made[i * 65_536]));
        Assert.InRange(server.MostAtOnce, 5, 6);
        Assert.InRange(server.BytesAsked, 16 << 20, bytes.Length);
    }

    [Fact]
    public void Shows_what_it_names_and_opens_nothing_of_it()
    {
        Fixture fixture = Fixtures.Get("sub-overlay");
        fixture.CopyTo(_folder);
        using var server = new HttpTestServer(File.ReadAllBytes(fixture.Path));
        using HttpFile file = HttpFile.Open(server.Address("/sub-overlay.qcow2"), Quick);
        DiskFormat format = DiskFormats.Get("qcow2");
        Assert.Same(format, DiskFormats.Recognize(file, ".qcow2").Format);
        Qcow2ImageInfo info = format.ReadInformation(file);
        Assert.NotNull(info.BackingFile);
        Assert.Null(info.ParentPath);
        Assert.Equal((server.Address("/sub-overlay.qcow2").ToString(), file.Length, file.Length, false), (info.Path, info.FileSize, info.AllocatedSize, info.IsLocked));

        // Whatever the caller would allow, and although a file of that name lies in the current folder.
        foreach (ReferencePolicy policy in new[] { ReferencePolicy.Follow, ReferencePolicy.Confine(_folder.Path) })
        {
            Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => format.Open(new Engine.Storage.BorrowedStorage(file), new Qcow2OpenOptions { References = policy }));
            Assert.Equal(Qcow2ErrorCode.ReferenceForbidden, error.Code);
        }

        var seen = new List<Qcow2ImageInfo>();
        Qcow2Exception refused = Assert.Throws<Qcow2Exception>(() =>
        {
            foreach (Qcow2ImageInfo one in format.ReadChain(file))
            {
                seen.Add(one);
            }
        });
        Assert.Equal((Qcow2ErrorCode.ReferenceForbidden, refused.Message), (refused.Code, Assert.Single(seen).BackingFileProblem));
        Assert.All(server.Requests, request => Assert.Equal("/sub-overlay.qcow2", request.Target));
    }

    [Fact]
    public void Does_not_save_zeros_for_what_a_server_did_not_give()
    {
        byte[] raw = new byte[4 << 20];
        new Random(1).NextBytes(raw);
        using var server = new HttpTestServer(raw);
        using HttpFile file = HttpFile.Open(server.Address(), Quick with { MaxRetryCount = 0 });
        server.Answer = (request, reply) => request.Range!.Value.First > 1 << 20 ? HttpFileTests.Busy("500 Gone Mad") : reply;
        using VirtualDisk disk = DiskFormats.Raw.Open(new Engine.Storage.BorrowedStorage(file));
        string copy = _folder.File("copy.raw");
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => DiskConverter.Convert(disk, copy, RawCreateOptions.Default, false, new ConversionOptions { Salvage = true }));
        Assert.Equal(Qcow2ErrorCode.HttpRequestFailed, error.Code);
        Assert.False(File.Exists(copy));
    }

    private byte[] Image(string name)
    {
        string path = _folder.File("made.qcow2");
        switch (name)
        {
            case "fragmented":
                var random = new Random(11);
                using (Qcow2Image image = Qcow2Image.Create(path, 16 << 20))
                {
                    byte[] cluster = new byte[65_536];
                    foreach (int i in Enumerable.Range(0, 256).OrderBy(_ => random.Next()).Take(120))
                    {
                        random.NextBytes(cluster);
                        image.Write(i * 65_536L, cluster);
                    }
                }

                break;
            case "zlib" or "zstd" or "extended":
                string source = _folder.File("source.raw");
                File.WriteAllBytes(source, Text(6 << 20));
                using (VirtualDisk disk = DiskFormats.Raw.Open(source))
                {
                    Qcow2CreateOptions layout = new() { CompressionType = name == "zstd" ? CompressionType.Zstd : CompressionType.Deflate, ExtendedL2 = name == "extended" };
                    DiskConverter.Convert(disk, path, layout, false, new ConversionOptions { Compress = name != "extended" });
                }

                break;
            default:
                return File.ReadAllBytes(Fixtures.Get(name).Path);
        }

        return File.ReadAllBytes(path);
    }

    /// <summary>What can be compressed to about a half, with holes.</summary>
    private static byte[] Text(int length)
    {
        byte[] bytes = new byte[length];
        var random = new Random(2);
        for (int i = 0; i < length; i++)
        {
            bytes[i] = (i >> 18) % 5 == 2 ? (byte)0 : (byte)random.Next(16);
        }

        return bytes;
    }
}

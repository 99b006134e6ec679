using Qcow2.Engine.Conversion;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>A conversion that fails says so; an image that it wrote into is sound, leaks nothing and can take the copy later.</summary>
public sealed class ConversionFaultTests : IDisposable
{
    private const int Size = 300_000;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, bool, int> Layouts
    {
        get
        {
            var layouts = new TheoryData<string, bool, int>();
            foreach (string name in (string[])["plain", "extended", "snapshot", "table-grows"])
            {
                foreach (int threads in (int[])[1, 3])
                {
                    layouts.Add(name, false, threads);
                    layouts.Add(name, true, threads);
                }
            }

            return layouts;
        }
    }

    [Theory, MemberData(nameof(Layouts))]
    public void Refused_write_leaves_an_image_without_leaks(string name, bool compress, int threads)
    {
        byte[] content = Content();
        byte[] start = MakeDestination(name, out byte[]? snapshot);
        int failures = 0;
        for (int at = 1; ; at += 1 + (at / 12))
        {
            using RawDisk source = RawDisk.Open(new MemoryStorage([.. content]));
            var storage = new MemoryStorage([.. start]);
            var options = new ConversionOptions { Compress = compress, ThrottleLimit = threads };
            Exception? error;
            using (Qcow2Image image = Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true, L2CacheSize = 1 }))
            {
                int writes = 0;
                int failing = at;
                storage.BeforeWrite = (_, _) => _ = Interlocked.Increment(ref writes) >= failing ? throw new IOException("No space left on device") : 0;
                error = Record.Exception(() => DiskConverter.ConvertInto(source, image, options: options));
                storage.BeforeWrite = null;
            }

            string label = $"{name}, write {at}";
            ImageAuditor audit = ImageAuditor.Audit(storage.Content);
            Assert.True(audit.Corruptions.Count == 0 && audit.Leaks == 0, $"{label}: {audit.Leaks} leaks, {string.Join('\n', audit.Corruptions.Take(5))}");
            using (Qcow2Image again = Qcow2Image.Open(new MemoryStorage(storage.Content), new Qcow2OpenOptions { Writable = true }))
            {
                if (snapshot is not null)
                {
                    ConversionJudge.AssertSame(label, snapshot, DiskModel.ReadAll(again.OpenSnapshot(again.Snapshots[0])));
                }

                DiskConverter.ConvertInto(source, again, options: options);
                ConversionJudge.AssertSame(label, content, DiskModel.ReadAll(again));
            }

            if (error is null)
            {
                break;
            }

            Assert.Equal("No space left on device", Assert.IsType<IOException>(error).Message);
            failures++;
        }

        Assert.True(failures > 3, $"{failures} writes failed.");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Failed_source_leaves_the_old_file_alone(bool exists)
    {
        var storage = new MemoryStorage(Content());
        storage.BeforeRead = (offset, length) => _ = offset + length > 100_000 ? throw new IOException("Input/output error") : 0;
        using RawDisk source = RawDisk.Open(storage);
        string path = _folder.File("copy.qcow2");
        var layout = new Qcow2CreateOptions { DataFile = "copy.data" };
        if (exists)
        {
            _folder.Write("copy.qcow2", "old"u8);
            _folder.Write("copy.data", "data"u8);
        }

        Assert.Throws<IOException>(() => DiskConverter.ConvertToQcow2(source, path, layout, overwrite: true));

        Assert.Equal(exists ? 2 : 0, Directory.GetFileSystemEntries(_folder.Path).Length);
        if (exists)
        {
            Assert.Equal("old", File.ReadAllText(path));
            Assert.Equal("data", File.ReadAllText(_folder.File("copy.data")));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Cancelled_conversion_leaves_no_file_and_no_leak(bool compress)
    {
        byte[] content = Content();
        for (int after = 0; after < 12; after++)
        {
            using var stop = new CancellationTokenSource();
            int reads = 0;
            int last = after;
            var storage = new MemoryStorage([.. content]);
            storage.BeforeRead = (_, _) =>
            {
                if (Interlocked.Increment(ref reads) > last)
                {
                    stop.Cancel();
                }
            };
            using RawDisk source = RawDisk.Open(storage);
            var options = new ConversionOptions { Compress = compress, ThrottleLimit = 2 };
            var small = new Qcow2CreateOptions { ClusterSize = 4096 };

            Record.Exception(() => DiskConverter.ConvertToQcow2(source, _folder.File("copy.qcow2"), small, options: options, cancellationToken: stop.Token));

            Assert.True(!stop.IsCancellationRequested || Directory.GetFileSystemEntries(_folder.Path).Length == 0);
            byte[] start = MakeDestination("snapshot", out _);
            var into = new MemoryStorage(start);
            reads = 0;
            using var stopAgain = new CancellationTokenSource();
            storage.BeforeRead = (_, _) =>
            {
                if (Interlocked.Increment(ref reads) > last)
                {
                    stopAgain.Cancel();
                }
            };
            using (Qcow2Image image = Qcow2Image.Open(into, new Qcow2OpenOptions { Writable = true }))
            {
                Record.Exception(() => DiskConverter.ConvertInto(source, image, options: options, cancellationToken: stopAgain.Token));
            }

            ImageAuditor audit = ImageAuditor.Audit(into.Content);
            Assert.True(audit.Corruptions.Count == 0 && audit.Leaks == 0, $"{audit.Leaks} leaks, {string.Join('\n', audit.Corruptions.Take(5))}");
            File.Delete(_folder.File("copy.qcow2"));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Crash_while_an_image_is_written_into_leaves_at_most_leaks(bool compress)
    {
        var storage = new MemoryStorage(MakeDestination("snapshot", out byte[]? snapshot));
        WriteLog log;
        using (RawDisk source = RawDisk.Open(new MemoryStorage(Content())))
        using (Qcow2Image image = Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true, L2CacheSize = 1 }))
        {
            log = new WriteLog(storage);
            DiskConverter.ConvertInto(source, image, options: new ConversionOptions { Compress = compress, ThrottleLimit = 1 });
        }

        int tried = 0;
        foreach ((int at, byte[] file) in log.Crashes(new Random(TestRounds.Seed("crash")), perEvent: 3))
        {
            ImageAuditor audit = ImageAuditor.Audit(file);
            Assert.True(audit.Corruptions.Count == 0, $"After write {at}: {string.Join('\n', audit.Corruptions.Take(5))}");
            using Qcow2Image image = Qcow2Image.Open(new MemoryStorage(file));
            ConversionJudge.AssertSame("snapshot", snapshot, DiskModel.ReadAll(image.OpenSnapshot(image.Snapshots[0])));
            tried++;
        }

        Assert.True(tried > 10);
    }

    private static byte[] Content()
    {
        byte[] content = new byte[Size];
        var random = new Random(3);
        random.NextBytes(content.AsSpan(0, 150_000));
        for (int i = 180_000; i < Size; i += random.Next(1, 90))
        {
            content[i] = (byte)i;
        }

        return content;
    }

    private static byte[] MakeDestination(string name, out byte[]? snapshot)
    {
        snapshot = null;
        using var storage = new MemoryStorage([]);
        using (Qcow2Image image = Qcow2Image.Create(storage, Size, new Qcow2CreateOptions
        {
            ClusterSize = name switch { "extended" => 16_384, "table-grows" => 512, _ => 4096 },
            RefcountBits = name == "table-grows" ? 64 : 16,
            ExtendedL2 = name == "extended",
        }).ResizeExactly(Size))
        {
            var model = new DiskModel(new byte[Size], 4096, 5, name);
            for (int i = 0; i < 40; i++)
            {
                model.Step(image, canResize: false);
                if (i == 30 && name == "snapshot")
                {
                    image.CreateSnapshot("before");
                    snapshot = [.. model.Content];
                }
            }
        }

        return storage.Content;
    }
}

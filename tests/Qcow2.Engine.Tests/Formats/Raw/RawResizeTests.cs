using Qcow2.Engine.Conversion;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Raw;

/// <summary>Raw disks that get another size: what stays, what is added, and what failures leave.</summary>
public sealed class RawResizeTests : IDisposable
{
    private const int Old = 100_000;
    private const int New = 3_000_001;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Random_sizes_keep_what_they_have_and_add_zeros()
    {
        int seed = TestRounds.Seed("raw resize");
        var random = new Random(seed);
        string path = _folder.File("disk.raw");
        byte[] model = [];
        File.WriteAllBytes(path, model);
        for (int i = 0; i < 60 * TestRounds.Times(1); i++)
        {
            int size = random.Next(1 << 20);
            Preallocation preallocation = size < model.Length ? Preallocation.Off : new[] { Preallocation.Off, Preallocation.Falloc, Preallocation.Full }[random.Next(3)];
            using (var disk = RawDisk.Open(path, new() { Writable = true }))
            {
                disk.Resize(size, allowShrink: true, preallocation);
                Array.Resize(ref model, size);
                Assert.Equal(size, disk.Length);
                int end = random.Next(size + 1);
                byte[] data = new byte[Math.Min(5000, end)];
                random.NextBytes(data);
                disk.Write(end - data.Length, data);
                data.CopyTo(model.AsSpan(end - data.Length));
            }

            Assert.True(model.AsSpan().SequenceEqual(File.ReadAllBytes(path)), $"QCOW2_TEST_SEED={seed}, step {i}");
        }
    }

    [QemuTheory]
    [InlineData(Preallocation.Off, 8 << 20)]
    [InlineData(Preallocation.Falloc, 8 << 20)]
    [InlineData(Preallocation.Full, 8 << 20)]
    [InlineData(Preallocation.Off, 12_345)]
    public void Length_content_and_space_are_those_of_qemu(Preallocation preallocation, int size)
    {
        byte[] content = new byte[1 << 20];
        new Random(5).NextBytes(content);
        string ours = _folder.Write("ours.raw", content);
        string theirs = _folder.Write("theirs.raw", content);
        using (var disk = RawDisk.Open(ours, new() { Writable = true }))
        {
            disk.Resize(size, allowShrink: true, preallocation);
        }

        QemuImg.Run(["resize", "-q", "-f", "raw", "--shrink", .. preallocation == Preallocation.Off ? [] : new[] { $"--preallocation={preallocation.ToString().ToLowerInvariant()}" }, theirs, $"{size}"]);
        Assert.Equal(File.ReadAllBytes(theirs), File.ReadAllBytes(ours));
        using LocalFile one = LocalFile.OpenRead(ours);
        using LocalFile other = LocalFile.OpenRead(theirs);
        Assert.Equal(other.AllocatedLength, one.AllocatedLength);
    }

    [QemuTheory]
    [InlineData(Preallocation.Off)]
    [InlineData(Preallocation.Falloc)]
    [InlineData(Preallocation.Full)]
    public void A_new_disk_takes_the_space_that_it_takes_with_qemu(Preallocation preallocation)
    {
        string mode = preallocation.ToString().ToLowerInvariant();
        byte[] content = new byte[3 << 20];
        new Random(5).NextBytes(content.AsSpan(1 << 20, 1 << 20));
        string source = _folder.Write("source.raw", content);
        QemuImg.Run("create", "-q", "-f", "raw", "-o", $"preallocation={mode}", _folder.File("theirs.raw"), "3M");
        QemuImg.Run("convert", "-f", "raw", "-O", "raw", "-o", $"preallocation={mode}", source, _folder.File("their-copy.raw"));
        var layout = new RawCreateOptions { Preallocation = preallocation };
        layout.Create(_folder.File("ours.raw"), 3 << 20);
        using (var disk = RawDisk.Open(source))
        {
            DiskConverter.Convert(disk, _folder.File("our-copy.raw"), layout);
        }

        Assert.Equal(content, File.ReadAllBytes(_folder.File("our-copy.raw")));
        Assert.Equal(new byte[3 << 20], File.ReadAllBytes(_folder.File("ours.raw")));
        long first = preallocation == Preallocation.Off ? 4096 : 0; // QEMU writes the first block of a sparse file in any case.
        Assert.Equal(Taken("theirs.raw") - first, Taken("ours.raw"));
        Assert.Equal(Taken("their-copy.raw") - first, Taken("our-copy.raw"));
        ArgumentException error = Assert.Throws<ArgumentException>(() => new RawCreateOptions { Preallocation = Preallocation.Metadata }.Create(_folder.File("x.raw"), 512));
        Assert.Contains("no tables", error.Message, StringComparison.Ordinal);
    }

    private long Taken(string name)
    {
        using LocalFile file = LocalFile.OpenRead(_folder.File(name));
        return file.AllocatedLength;
    }

    [Theory]
    [InlineData(Preallocation.Off)]
    [InlineData(Preallocation.Falloc)]
    [InlineData(Preallocation.Full)]
    public void Whenever_it_ends_the_file_has_the_old_length_or_the_new_one(Preallocation preallocation)
    {
        byte[] content = NewContent();
        using var storage = new MemoryStorage(content);
        var lengths = new HashSet<long>();
        storage.BeforeWrite = (_, _) => lengths.Add(storage.Length);
        storage.BeforeSetLength = _ => lengths.Add(storage.Length);
        storage.BeforeFlush = () => lengths.Add(storage.Length);
        using var disk = RawDisk.Open(storage, isWritable: true);
        disk.Resize(New, preallocation: preallocation);
        Assert.Equal([Old, New], lengths.Order());
        Assert.Equal(content, storage.Content[..Old]);
        Assert.Equal(-1, storage.Content.AsSpan(Old).IndexOfAnyExcept((byte)0));
        disk.Resize(Old, allowShrink: true);
        Assert.Equal([Old, New], lengths.Order());
        Assert.Equal(content, storage.Content);
    }

    [Theory]
    [InlineData(Preallocation.Off, "length", 0)]
    [InlineData(Preallocation.Off, "flush", 0)]
    [InlineData(Preallocation.Full, "write", 0)]
    [InlineData(Preallocation.Full, "write", 2)]
    [InlineData(Preallocation.Full, "flush", 0)]
    [InlineData(Preallocation.Falloc, "write", 1)]
    [InlineData(Preallocation.Full, "stop", 1)]
    public void A_failure_leaves_the_old_disk(Preallocation preallocation, string what, int number)
    {
        byte[] content = NewContent();
        using var storage = new MemoryStorage(content);
        int calls = 0;
        void Fail()
        {
            if (calls++ == number)
            {
                throw new IOException("the host failed");
            }
        }

        storage.BeforeSetLength = what == "length" ? _ => Fail() : null;
        storage.BeforeFlush = what == "flush" ? Fail : null;
        using var stop = new CancellationTokenSource();
        storage.BeforeWrite = what == "write" ? (_, _) => Fail() : what == "stop" ? (_, _) => stop.Cancel() : null;
        using var disk = RawDisk.Open(storage, isWritable: true);
        Exception error = Assert.ThrowsAny<Exception>(() => disk.Resize(New, preallocation: preallocation, cancellationToken: stop.Token));
        Assert.True(what == "stop" ? error is OperationCanceledException : error is IOException, error.ToString());
        Assert.Equal(content, storage.Content);
        Assert.Equal(Old, disk.Length);

        disk.Resize(New, preallocation: preallocation); // And it can be tried again.
        Assert.Equal(New, disk.Length);
    }

    [Fact]
    public void Progress_counts_what_is_added()
    {
        using var disk = RawDisk.Open(new MemoryStorage(NewContent()), isWritable: true);
        var seen = new List<long>();
        disk.Resize(New, preallocation: Preallocation.Full, progress: new Told(seen.Add));
        Assert.Equal(New - Old, seen[^1]);
        Assert.Equal(seen.Order(), seen);
        Assert.InRange(seen.Count, 2, 10);
    }

    [Fact]
    public void What_cannot_be_is_refused_and_changes_nothing()
    {
        byte[] content = NewContent();
        using var storage = new MemoryStorage(content);
        using var disk = RawDisk.Open(storage, isWritable: true);
        Assert.Contains("allowed", Assert.Throws<ArgumentException>(() => disk.Resize(Old - 1)).Message, StringComparison.Ordinal);
        Assert.Contains("smaller", Assert.Throws<ArgumentException>(() => disk.Resize(Old - 1, allowShrink: true, Preallocation.Full)).Message, StringComparison.Ordinal);
        Assert.Contains("no tables", Assert.Throws<ArgumentException>(() => disk.Resize(New, preallocation: Preallocation.Metadata)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => disk.Resize(-1, allowShrink: true));
        using var readOnly = RawDisk.Open(new MemoryStorage([1]));
        Assert.Throws<NotSupportedException>(() => readOnly.Resize(New));
        using var device = RawDisk.Open(new DeviceStorage(content) { IsFixed = true }, isWritable: true);
        Assert.Contains("device", Assert.Throws<NotSupportedException>(() => device.Resize(New)).Message, StringComparison.Ordinal);
        Assert.Contains("device", Assert.Throws<NotSupportedException>(() => device.Resize(1, allowShrink: true)).Message, StringComparison.Ordinal);
        Assert.Equal(content, storage.Content);
    }

    private static byte[] NewContent()
    {
        byte[] content = new byte[Old];
        new Random(3).NextBytes(content);
        return content;
    }

    private sealed class Told(Action<long> report) : IProgress<long>
    {
        public void Report(long value) => report(value);
    }
}

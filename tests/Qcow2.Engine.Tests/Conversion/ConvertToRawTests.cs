using Qcow2.Engine.Conversion;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

public sealed class ConvertToRawTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("sparse-1t")]
    [InlineData("zero-allocated")]
    [InlineData("extl2")]
    public void Holes_and_zeros_take_no_space(string name)
    {
        string path = _folder.File("disk.raw");
        using Qcow2Image image = Fixtures.Get(name).Open();
        List<DiskExtent> data = [.. image.GetExtents().Where(extent => extent.Kind == ExtentKind.Data)];

        DiskConverter.ConvertToRaw(image, path);

        using LocalFile raw = LocalFile.OpenRead(path);
        Assert.Equal(image.Length, raw.Length);
        const int HostBlock = 4096; // an extent that begins or ends inside a block of the host's takes the whole block
        Assert.InRange(raw.AllocatedLength, 0, data.Sum(extent => extent.Length + (2 * HostBlock)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    public void Written_blocks_do_not_depend_on_the_number_of_threads(int threads)
    {
        using Qcow2Image image = Fixtures.Get("compressed-mixed").Open();
        using var raw = new MemoryStorage([]);
        var written = new System.Collections.Concurrent.ConcurrentBag<(long, int)>();
        raw.BeforeWrite = (offset, length) => written.Add((offset, length));

        DiskConverter.ConvertToRaw(image, raw, new ConversionOptions { ThrottleLimit = threads });

        using var reference = new MemoryStorage([]);
        var expected = new List<(long, int)>();
        reference.BeforeWrite = (offset, length) => expected.Add((offset, length));
        DiskConverter.ConvertToRaw(image, reference, new ConversionOptions { ThrottleLimit = 1 });
        Assert.Equal(reference.Content, raw.Content);
        Assert.Equal(expected.Order(), written.Order());
    }

    [Fact]
    public void Zeros_among_data_become_holes_of_the_size_asked_for()
    {
        byte[] content = new byte[64 * 1024];
        content[4096] = 1; // second block
        content[40_000] = 1; // tenth block
        using RawDisk source = RawDisk.Open(new MemoryStorage(content));
        using var raw = new MemoryStorage([]);
        var written = new List<(long, int)>();
        raw.BeforeWrite = (offset, length) => written.Add((offset, length));

        DiskConverter.ConvertToRaw(source, raw, new ConversionOptions { ThrottleLimit = 1, SparseSize = 4096 });

        Assert.Equal(content, raw.Content);
        Assert.Equal([(4096, 4096), (36_864, 4096)], written);
    }

    [Fact]
    public void Progress_ends_at_the_whole()
    {
        using Qcow2Image image = Fixtures.Get("v3").Open();
        var reports = new List<WorkProgress>();

        DiskConverter.ConvertToRaw(image, new MemoryStorage([]), progress: new Reporter(reports));

        Assert.Equal(new WorkProgress(image.Length, image.Length), reports.MaxBy(report => report.BytesDone));
    }

    [Fact]
    public void Cancelled_conversion_leaves_nothing()
    {
        using Qcow2Image image = Fixtures.Get("v3").Open();
        using var stop = new CancellationTokenSource();
        var progress = new Reporter([], stop.Cancel);

        Assert.ThrowsAny<OperationCanceledException>(
            () => DiskConverter.ConvertToRaw(image, _folder.File("disk.raw"), progress: progress, cancellationToken: stop.Token));

        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Destination_that_the_source_is_read_from_is_refused()
    {
        string path = Fixtures.Get("chain-top").CopyTo(_folder);
        string middle = Qcow2ImageInfo.Read(path).ParentPath!;
        byte[] before = File.ReadAllBytes(middle);
        using Qcow2Image image = Qcow2Image.Open(path);

        foreach (string destination in (string[])[path, middle])
        {
            var error = Assert.Throws<Qcow2Exception>(() => DiskConverter.ConvertToRaw(image, destination, overwrite: true));
            Assert.Equal(Qcow2ErrorCode.DestinationIsSource, error.Code);
        }

        Assert.Equal(before, File.ReadAllBytes(middle));
    }

    [Theory]
    [InlineData("luks")]
    [InlineData("aes")]
    [InlineData("luks-backing")]
    public void Missing_passphrase_is_reported_before_anything_is_written(string name)
    {
        using Qcow2Image image = Qcow2Image.Open(Fixtures.Get(name).Path);

        var error = Assert.Throws<Qcow2Exception>(() => DiskConverter.ConvertToRaw(image, _folder.File("disk.raw")));

        Assert.Equal(Qcow2ErrorCode.PassphraseRequired, error.Code);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Failed_read_is_reported_and_leaves_nothing(int threads)
    {
        byte[] bytes = File.ReadAllBytes(Fixtures.Get("v3").Path);
        var storage = new MemoryStorage(bytes);
        using Qcow2Image image = Qcow2Image.Open(storage);
        long host = image.GetExtents().Last(extent => extent.Kind == ExtentKind.Data).HostOffset!.Value;
        storage.BeforeRead = (offset, length) =>
        {
            if (offset + length > host)
            {
                throw new IOException("Input/output error");
            }
        };

        var error = Assert.Throws<IOException>(() => DiskConverter.ConvertToRaw(
            image, _folder.File("disk.raw"), options: new ConversionOptions { ThrottleLimit = threads }));

        Assert.Equal("Input/output error", error.Message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Failed_write_is_reported()
    {
        using Qcow2Image image = Fixtures.Get("v3").Open();
        using var raw = new MemoryStorage([]);
        raw.BeforeWrite = (_, _) => throw new IOException("No space left on device");

        Assert.Equal("No space left on device", Assert.Throws<IOException>(() => DiskConverter.ConvertToRaw(image, raw)).Message);
    }

    private sealed class Reporter(List<WorkProgress> reports, Action? onReport = null) : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value)
        {
            lock (reports)
            {
                reports.Add(value);
            }

            onReport?.Invoke();
        }
    }
}

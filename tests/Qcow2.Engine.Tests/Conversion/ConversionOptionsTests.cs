using System.Diagnostics;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

public sealed class ConversionOptionsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<string, ConversionOptions> Nonsense => new()
    {
        { "no threads", new() { ThrottleLimit = 0 } },
        { "blocks of 256", new() { SparseSize = 256 } },
        { "blocks of 5000", new() { SparseSize = 5000 } },
        { "blocks of 4M", new() { SparseSize = 4 << 20 } },
        { "negative blocks", new() { SparseSize = int.MinValue } },
        { "negative rate", new() { RateLimit = -1 } },
        { "level without compression", new() { CompressionLevel = 3 } },
    };

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Nonsense))]
    public void Nonsense_is_refused_before_anything_is_written(string what, ConversionOptions options)
    {
        using RawDisk source = RawDisk.Open(new MemoryStorage(new byte[1000]));

        Assert.ThrowsAny<ArgumentException>(() => DiskConverter.ConvertToQcow2(source, _folder.File("copy.qcow2"), options: options));
        Assert.ThrowsAny<ArgumentException>(() => DiskConverter.ConvertToRaw(source, _folder.File("copy.raw"), options: options));

        Assert.True(Directory.GetFileSystemEntries(_folder.Path).Length == 0, what);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Rate_is_not_exceeded(int threads)
    {
        using RawDisk source = RawDisk.Open(new MemoryStorage(new byte[(3 << 20) + 100]));
        var clock = Stopwatch.StartNew();

        DiskConverter.ConvertToRaw(source, new MemoryStorage([]), new ConversionOptions { ThrottleLimit = threads, RateLimit = 6 << 20 });

        Assert.True(clock.Elapsed > TimeSpan.FromSeconds(0.49), $"It took {clock.Elapsed}.");
    }

    [Fact]
    public void Wait_for_the_rate_ends_when_it_is_cancelled()
    {
        using RawDisk source = RawDisk.Open(new MemoryStorage(new byte[6 << 20]));
        using var stop = new CancelledSoon();

        Assert.ThrowsAny<OperationCanceledException>(() => DiskConverter.ConvertToRaw(
            source, new MemoryStorage([]), new ConversionOptions { ThrottleLimit = 4, RateLimit = 1 }, cancellationToken: stop.Token));
    }

    [Fact]
    public void Parcels_are_as_few_and_small_as_is_said()
    {
        byte[] content = new byte[40 << 20];
        content.AsSpan().Fill(1);
        using RawDisk source = RawDisk.Open(new MemoryStorage(content));
        using var target = new CountingTarget();

        DiskCopy.Run(source, target, new ConversionOptions { ThrottleLimit = 3 }, null, default);

        Assert.Equal(7, target.Parcels);
        Assert.Equal(content.Length, target.Bytes);
        Assert.InRange(target.Longest, 1, 2 << 20);
    }

    private sealed class CountingTarget : CopyTarget
    {
        private readonly DiskTarget _inner = new(RawDisk.Open(new MemoryStorage([]), isWritable: true), isZero: true, 4096);
        private long _bytes;

        internal int Parcels { get; private set; }

        internal long Longest { get; private set; }

        internal long Bytes => _bytes;

        internal override int Unit => _inner.Unit;

        internal override int MaxParcelBytes => _inner.MaxParcelBytes;

        internal override bool WritesZeros => false;

        internal override CopyParcel NewParcel()
        {
            Parcels++;
            return _inner.NewParcel();
        }

        internal override void Finish(CopyParcel parcel)
        {
            lock (_inner)
            {
                _bytes += parcel.Data.Length;
                Longest = Math.Max(Longest, parcel.Data.Length);
            }
        }

        protected override void Dispose(bool disposing)
        {
            _inner.Dispose();
            base.Dispose(disposing);
        }
    }
}

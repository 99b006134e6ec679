using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Comparison;

public sealed class DiskComparerTests
{
    private const int Size = 20 << 20;

    private static readonly byte[] Random = CreateRandom();

    [Theory]
    [InlineData(0)]
    [InlineData(4095)]
    [InlineData(4096)]
    [InlineData((8 << 20) - 1)] // parts meet here
    [InlineData(8 << 20)]
    [InlineData((2 << 20) + 511)]
    [InlineData(Size - 1)]
    public void Single_byte_is_found(long position)
    {
        byte[] content = Bytes();
        byte[] other = [.. content];
        other[position] ^= 1;

        NaiveComparison expected = NaiveComparison.Of(content, other);
        Assert.Equal((position, 4096L), (expected.First, expected.Bytes));
        expected.AssertSaidOf(Raw(content), Raw(other));
    }

    [Theory]
    [InlineData(512)]
    [InlineData(9 << 20)]
    [InlineData(Size)]
    public void Rest_of_the_longer_disk_is_compared_with_zeros(int cut)
    {
        byte[] content = Bytes();
        content.AsSpan(Size - cut).Clear();
        byte[] shorter = content[..(Size - cut)];
        Qcow2CompareResult equal = DiskComparer.Compare(Raw(content), Raw(shorter));
        Assert.Equal((true, true), (equal.AreEqual, equal.IsSizeDifferent));

        content[^1] = 1;
        NaiveComparison.Of(content, shorter).AssertSaidOf(Raw(content), Raw(shorter));
        NaiveComparison.Of(shorter, content).AssertSaidOf(Raw(shorter), Raw(content));
    }

    [Fact]
    public void Last_block_ends_with_the_disk()
    {
        byte[] content = new byte[4096 + 100];
        byte[] other = [.. content];
        other[^1] = 1;

        Qcow2CompareResult result = DiskComparer.Compare(Raw(content), Raw(other));

        Assert.Equal([new DiskRange(4096, 100)], result.Ranges);
        Assert.Equal(100, result.DifferingBytes);
    }

    [Fact]
    public void Empty_disks_are_equal()
        => Assert.True(DiskComparer.Compare(Raw([]), Raw([]), new DiskCompareOptions { IsStrict = true }).AreEqual);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    public void Error_is_the_first_on_the_disk(int threads)
    {
        var storage = new MemoryStorage(Bytes());
        storage.BeforeRead = (offset, _) =>
        {
            if (offset >= 11 << 20)
            {
                Thread.Sleep(offset < 13 << 20 ? 20 : 0); // so that later parts fail first
                throw new IOException($"error at {offset >> 20}");
            }
        };

        var error = Assert.Throws<IOException>(() => DiskComparer.Compare(
            RawDisk.Open(storage), Raw(Bytes()), new DiskCompareOptions { ThrottleLimit = threads }));

        Assert.Equal("error at 12", error.Message);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    public void Error_after_the_first_difference_is_none_if_that_ends_the_comparison(int threads)
    {
        byte[] content = Bytes();
        var storage = new MemoryStorage([.. content]);
        storage.BeforeRead = (offset, _) =>
        {
            if (offset >= 16 << 20)
            {
                throw new IOException("late");
            }

            Thread.Sleep(offset is >= 8 << 20 ? 20 : 0);
        };
        content[9 << 20] ^= 1;
        var options = new DiskCompareOptions { ThrottleLimit = threads };

        Assert.Equal(9 << 20, DiskComparer.Compare(Raw(content), RawDisk.Open(storage), options with { StopAtFirst = true }).FirstDifference);
        Assert.Equal("late", Assert.Throws<IOException>(() => DiskComparer.Compare(Raw(content), RawDisk.Open(storage), options)).Message);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Cancelling_ends_it(int threads)
    {
        using var stop = new CancellationTokenSource();
        var storage = new MemoryStorage(Bytes());
        storage.BeforeRead = (_, _) => stop.Cancel();
        using RawDisk disk = RawDisk.Open(storage);

        Assert.ThrowsAny<OperationCanceledException>(() => DiskComparer.Compare(
            disk, Raw(Bytes()), new DiskCompareOptions { ThrottleLimit = threads }, cancellationToken: stop.Token));

        Assert.InRange(storage.Reads, 1, threads); // No thread begins another piece.
    }

    [Fact]
    public void Progress_ends_at_the_whole()
    {
        using Qcow2Image image = Fixtures.Get("compressed-mixed").Open();
        var progress = new Reporter();

        DiskComparer.Compare(image, Raw(new byte[image.Length + 512]), progress: progress);

        Assert.Equal(new WorkProgress(image.Length + 512, image.Length + 512), progress.Last);
    }

    [Theory]
    [InlineData("luks")]
    [InlineData("aes")]
    [InlineData("luks-backing")]
    public void Missing_passphrase_is_reported_of_either_side(string name)
    {
        using Qcow2Image locked = Qcow2Image.Open(Fixtures.Get(name).Path);

        Assert.Equal(Qcow2ErrorCode.PassphraseRequired, Assert.Throws<Qcow2Exception>(() => DiskComparer.Compare(locked, Raw([]))).Code);
        Assert.Equal(Qcow2ErrorCode.PassphraseRequired, Assert.Throws<Qcow2Exception>(() => DiskComparer.Compare(Raw([]), locked)).Code);
    }

    private static RawDisk Raw(byte[] content) => RawDisk.Open(new MemoryStorage(content));

    private static byte[] Bytes() => [.. Random];

    private static byte[] CreateRandom()
    {
        byte[] bytes = new byte[Size];
        new System.Random(7).NextBytes(bytes);
        return bytes;
    }

    private sealed class Reporter : IProgress<WorkProgress>
    {
        private readonly object _gate = new();

        internal WorkProgress Last { get; private set; }

        public void Report(WorkProgress value)
        {
            lock (_gate)
            {
                Last = value.BytesDone > Last.BytesDone ? value : Last;
            }
        }
    }
}

using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Metadata;

public class L2CacheTests
{
    private const int ClusterSize = 4096;
    private static readonly ClusterGeometry Geometry = new(12, extendedL2: false);

    [Fact]
    public void Slice_is_read_once_while_it_stays()
    {
        using var storage = new MemoryStorage(new byte[ClusterSize * 4]);
        var cache = new L2Cache(storage, Geometry, 1 << 20);

        ulong[] first = cache.GetSlice(ClusterSize, 0);
        ulong[] again = cache.GetSlice(ClusterSize, 0);

        Assert.Same(first, again);
        Assert.Equal(1, storage.Reads);
    }

    [Fact]
    public void Memory_is_bounded_and_used_slices_survive()
    {
        const int Tables = 1000;
        using var storage = new MemoryStorage(new byte[ClusterSize * (Tables + 1)]);
        var cache = new L2Cache(storage, Geometry, 32 * ClusterSize);
        ulong[] hot = cache.GetSlice(0, 0);

        for (int i = 1; i <= Tables; i++)
        {
            cache.GetSlice(i * ClusterSize, 0);
            Assert.Same(hot, cache.GetSlice(0, 0));
        }

        Assert.Equal(Tables + 1, storage.Reads);
        for (int i = 1; i <= Tables; i++)
        {
            cache.GetSlice(i * ClusterSize, 0);
        }

        // All but what fits had been evicted.
        Assert.InRange(storage.Reads, (2 * Tables) + 1 - 32, (2 * Tables) + 1);
    }

    [Fact]
    public void Table_past_the_end_of_the_file_is_refused()
    {
        using var storage = new MemoryStorage(new byte[(ClusterSize * 2) - 1]);
        var cache = new L2Cache(storage, Geometry, 1 << 20);

        var error = Assert.Throws<Qcow2Exception>(() => cache.GetSlice(ClusterSize, 0));

        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, error.Code);
        Assert.Contains("0x1000", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Entries_are_big_endian_in_the_file()
    {
        byte[] file = new byte[ClusterSize];
        Convert.FromHexString("8000000000050000").CopyTo(file, 8);
        using var storage = new MemoryStorage(file);

        Assert.Equal(0x8000000000050000UL, new L2Cache(storage, Geometry, 1 << 20).GetSlice(0, 0)[1]);
    }

    [Fact]
    public void Slice_that_was_changed_and_dropped_while_it_was_read_is_read_again()
    {
        const int Tables = 100;
        using var storage = new AfterRead(ClusterSize * Tables);
        var cache = new L2Cache(storage, Geometry, 1);
        storage.Action = () =>
        {
            // A writer gets in between the reading of the old bytes and their coming into the cache.
            cache.GetSliceForUpdate(0, 0)[0] = 5;
            cache.WriteTables();
            cache.MarkWritten();
            for (int i = 1; i < Tables; i++)
            {
                cache.GetSlice(i * ClusterSize, 0);
            }
        };

        Assert.Equal(5UL, cache.GetSlice(0, 0)[0]);
        Assert.Equal(5UL, cache.GetSlice(0, 0)[0]);
    }

    /// <summary>Does something once, after the first read.</summary>
    private sealed class AfterRead(int length) : BlockStorage
    {
        private readonly MemoryStorage _inner = new(new byte[length]);

        internal Action? Action { get; set; }

        public override string Path => _inner.Path;

        public override long Length => _inner.Length;

        public override long AllocatedLength => _inner.AllocatedLength;

        public override FileIdentity Identity => _inner.Identity;

        public override int Read(long offset, Span<byte> buffer)
        {
            int read = _inner.Read(offset, buffer);
            Action? action = Action;
            Action = null;
            action?.Invoke();
            return read;
        }

        public override void Write(long offset, ReadOnlySpan<byte> buffer) => _inner.Write(offset, buffer);

        public override void SetLength(long length) => _inner.SetLength(length);

        public override void Flush() => _inner.Flush();

        public override StorageRun RunAt(long offset) => _inner.RunAt(offset);

        protected override void Dispose(bool disposing) => _inner.Dispose();
    }
}

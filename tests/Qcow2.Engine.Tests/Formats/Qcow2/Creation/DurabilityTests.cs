using Qcow2.Engine.Format;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Creation;

/// <summary>What of a new image is on the disk when, and how much is written for it.</summary>
public sealed class DurabilityTests
{
    [Fact]
    public void Image_in_storage_is_on_the_disk_when_it_is_made()
    {
        bool isFlushed = false;
        var storage = new MemoryStorage([]) { BeforeWrite = (_, _) => isFlushed = false, BeforeFlush = null };
        storage.BeforeFlush = () => isFlushed = true;

        using Qcow2Image image = Qcow2Image.Create(storage, 1 << 20);

        Assert.True(isFlushed);
    }

    [Fact]
    public void Header_is_written_in_its_own_length()
    {
        var storage = new MemoryStorage([]);
        int longest = 0;
        storage.BeforeWrite = (offset, length) => longest = offset == 0 ? Math.Max(longest, length) : longest;
        using Qcow2Image image = Qcow2Image.Create(storage, 1 << 20, new() { ClusterSize = 2 << 20 });
        image.Resize(2 << 20);

        Assert.InRange(longest, Qcow2Header.Version2Length, 1024);
        using var again = Qcow2Image.Open(new MemoryStorage(storage.Content));
        Assert.Equal(2 << 20, again.Length);
        Assert.NotNull(again.Header.Extension<FeatureNameTableExtension>());
    }

    [Theory]
    [InlineData(256 << 10)]
    [InlineData(1 << 20)]
    public void Unwritten_tables_stay_within_the_caches_bound(long bound)
    {
        // Each write lands in another L2 table: 1,024 of them, 4 MiB.
        var storage = new MemoryStorage([]);
        Qcow2Image.Create(storage, 2L << 30, new() { ClusterSize = 4096 }).Dispose();
        using Qcow2Image image = Qcow2Image.Open(new MemoryStorage(storage.Content), new Qcow2OpenOptions { Writable = true, L2CacheSize = bound });
        long most = 0;
        for (long offset = 0; offset < image.Length; offset += 2 << 20)
        {
            image.Write(offset, new byte[] { 1 });
            most = Math.Max(most, image.UnwrittenTableBytes);
        }

        Assert.InRange(most, bound / 2, bound);
    }
}

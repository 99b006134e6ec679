using System.Buffers.Binary;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <summary>Single cases that the random tests would meet too seldom.</summary>
public sealed class WritePathTests
{
    [Fact]
    public void Clusters_of_an_outgrown_refcount_table_are_used_again()
    {
        var storage = new MemoryStorage([]);
        using (Qcow2Image image = Qcow2Image.Create(storage, 4 << 20, new Qcow2CreateOptions { ClusterSize = 512, RefcountBits = 64 }))
        {
            image.Write(0, new byte[2_200_000]);
            image.Flush();
            long length = storage.Length;

            image.Write(2_200_064 + 512, new byte[512]);
            image.Flush();

            Assert.Equal(length, storage.Length);
        }

        AssertClean(storage);
    }

    [Fact]
    public void Image_whose_first_refcount_table_is_outgrown_at_once_has_no_leak()
    {
        var storage = new MemoryStorage([]);
        Qcow2Image.Create(storage, 20L << 30, new Qcow2CreateOptions { ClusterSize = 512, RefcountBits = 64 }).Dispose();

        AssertClean(storage);
    }

    [Fact]
    public void More_tables_than_the_cache_holds_can_change_between_two_flushes()
    {
        var storage = new MemoryStorage([]);
        var options = new Qcow2OpenOptions { Writable = true, L2CacheSize = 1 };
        Qcow2Image.Create(storage, 4 << 20, new Qcow2CreateOptions { ClusterSize = 512 }).Dispose();
        for (int round = 0; round < 2; round++)
        {
            using Qcow2Image image = Qcow2Image.Open(storage, options);
            for (int offset = round * 512; offset < image.Length; offset += 32_768)
            {
                image.Write(offset, [1]);
            }
        }

        AssertClean(storage);
    }

    [Theory]
    [InlineData("bitmaps", 1UL)]
    [InlineData("bit-autoclear-unknown", 0UL)]
    [InlineData("data-file-raw", 2UL)]
    public void First_write_withdraws_what_it_does_not_keep_true(string name, ulong expected)
    {
        using var folder = new TempFolder();
        string path = Fixtures.Get(name).CopyTo(folder);
        ulong before = Autoclear(path);

        using (Qcow2Image image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true }))
        {
            Assert.Equal(before, Autoclear(path));
            image.Write(0, [1]);
            Assert.Equal(expected, Autoclear(path));
        }

        Assert.NotEqual(0UL, before);
        Assert.Equal(expected, Autoclear(path));
    }

    [Fact]
    public void Write_over_metadata_marks_the_image_corrupt_and_stops()
    {
        var storage = new MemoryStorage([]);
        using (Qcow2Image made = Qcow2Image.Create(storage, 1 << 20, new Qcow2CreateOptions { ClusterSize = 4096 }))
        {
            made.Write(0, new byte[8192]);
        }

        byte[] file = storage.Content;
        int l2 = Offset(file, Offset(file, 40));
        BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(l2), (1UL << 63) | (uint)l2);
        var damaged = new MemoryStorage(file);
        Qcow2Image image = Qcow2Image.Open(damaged, new Qcow2OpenOptions { Writable = true });
        byte[] table = damaged.Content.AsSpan(l2, 4096).ToArray();

        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, Assert.ThrowsAny<Qcow2Exception>(() => image.Write(100, [1, 2, 3])).Code);
        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, Assert.ThrowsAny<Qcow2Exception>(() => image.Write(4096, [1, 2, 3])).Code);
        Assert.ThrowsAny<Qcow2Exception>(image.Dispose);

        Assert.Equal(table, damaged.Content.AsSpan(l2, 4096).ToArray());
        Assert.Equal(2, damaged.Content[79]);
    }

    private static void AssertClean(MemoryStorage storage)
    {
        ImageAuditor audit = ImageAuditor.Audit(storage.Content);
        Assert.Empty(audit.Corruptions);
        Assert.Equal(0, audit.Leaks);
    }

    private static int Offset(byte[] file, int at) => (int)(BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan(at)) & 0x00ff_ffff_ffff_fe00);

    private static ulong Autoclear(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        byte[] header = new byte[112];
        stream.ReadExactly(header);
        return BinaryPrimitives.ReadUInt64BigEndian(header.AsSpan(88));
    }
}

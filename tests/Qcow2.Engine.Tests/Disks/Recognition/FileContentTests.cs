using Qcow2.Engine.Disks.Recognition;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Disks.Recognition;

/// <summary>What is read of a file to know what it is.</summary>
public sealed class FileContentTests
{
    [Fact]
    public void A_look_at_an_image_reads_little_of_it()
    {
        byte[] image = new byte[1 << 20];
        new ImageBuilder { DataClusters = 2 }.Build().Bytes.CopyTo(image, 0);
        var storage = new MemoryStorage(image);
        long read = 0;
        storage.BeforeRead = (_, length) => read += length;
        Assert.Equal("qcow2", DiskFormats.MarkOf(new FileContent(storage))?.Name);
        Assert.InRange(read, 1, 8192);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4090)]
    [InlineData(65_600)]
    public void Bytes_are_found_wherever_signatures_lie(int offset)
    {
        byte[] file = new byte[100_000];
        "signature"u8.CopyTo(file.AsSpan(offset));
        "footer"u8.CopyTo(file.AsSpan(file.Length - 512));
        var content = new FileContent(new MemoryStorage(file));
        Assert.True(content.Has(offset, "signature"u8));
        Assert.False(content.Has(offset + 1, "signature"u8));
        Assert.True(content.HasAtEnd(512, "footer"u8));
        Assert.Equal((byte)'s', content.At(offset));
        Assert.Equal(0x6e676973U, content.U32(offset));
        Assert.False(new FileContent(new MemoryStorage(file[..(offset + 3)])).Has(offset, "signature"u8));
        Assert.Equal(0, new FileContent(new MemoryStorage([])).At(offset));
    }
}

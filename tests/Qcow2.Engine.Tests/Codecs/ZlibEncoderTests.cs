using System.IO.Compression;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Tests.Codecs;

/// <summary>zlib streams, read by .NET's reader, which looks at the check sum.</summary>
public sealed class ZlibEncoderTests
{
    [Theory]
    [InlineData(1, 0x01)]
    [InlineData(2, 0x5e)]
    [InlineData(5, 0x5e)]
    [InlineData(6, 0x9c)]
    [InlineData(7, 0xda)]
    [InlineData(9, 0xda)]
    public void Streams_come_back_and_say_how_they_were_made(int level, int effort)
    {
        using var encoder = new ZlibEncoder(level);
        foreach (int length in (int[])[1, 300, 4096, 65_535, 65_536, 65_537, 200_000])
        {
            byte[] text = [.. Enumerable.Range(0, length).Select(i => (byte)(i * i / 1000))];
            byte[] random = new byte[length];
            new Random(length).NextBytes(random);
            foreach (byte[] data in (byte[][])[text, random, new byte[length]])
            {
                byte[] stream = new byte[ZlibEncoder.MaxLength(length)];
                int count = encoder.Encode(data, stream);
                Assert.Equal(0x78, stream[0]);
                Assert.Contains(stream[1], (byte[])[(byte)effort, 0x01]);
                Assert.Equal(0, ((stream[0] << 8) | stream[1]) % 31);
                using var zlib = new ZLibStream(new MemoryStream(stream, 0, count), CompressionMode.Decompress);
                using var back = new MemoryStream();
                zlib.CopyTo(back);
                Assert.Equal(data, back.ToArray());
            }

            Assert.True(length <= 300 || encoder.Encode(random, new byte[ZlibEncoder.MaxLength(length)]) == ZlibEncoder.MaxLength(length));
        }
    }

    /// <summary>By .NET's zlib up to level 6, by our own encoder above.</summary>
    [Theory]
    [InlineData(6)]
    [InlineData(9)]
    public void Window_is_the_largest(int level)
    {
        byte[] period = new byte[30_000];
        new Random(1).NextBytes(period);
        byte[] data = [.. period, .. period];
        using var encoder = new ZlibEncoder(level);
        Assert.InRange(encoder.Encode(data, new byte[ZlibEncoder.MaxLength(data.Length)]), period.Length, period.Length + 1500);
    }
}

using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Tests.Codecs;

public sealed class Crc32CTests
{
    // RFC 3720, section B.4, and the check value of the catalogues.
    [Fact]
    public void Sums_are_those_of_the_standard()
    {
        Assert.Equal(0xe306_9283U, Crc32C.Of("123456789"u8));
        Assert.Equal(0x8a91_36aaU, Crc32C.Of(new byte[32]));
        Assert.Equal(0x62a8_ab43U, Crc32C.Of(Enumerable.Repeat((byte)0xff, 32).ToArray()));
        Assert.Equal(0x46dd_794eU, Crc32C.Of([.. Enumerable.Range(0, 32).Select(i => (byte)i)]));
    }

    [Fact]
    public void Field_counts_as_zeros()
    {
        byte[] bytes = [.. Enumerable.Range(1, 40).Select(i => (byte)i)];
        uint sum = Crc32C.OfAllBut(bytes, 5);
        bytes.AsSpan(5, 4).Clear();
        Assert.Equal(Crc32C.Of(bytes), sum);
    }
}

using Qcow2.Engine.Format;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Format;

/// <summary>Refcount blocks, byte by byte: widths below a byte lie least significant bits first.</summary>
public class RefcountOrderTests
{
    [Theory]
    [InlineData(0, "0f00", new ulong[] { 1, 1, 1, 1, 0, 0 })]
    [InlineData(0, "8001", new ulong[] { 0, 0, 0, 0, 0, 0, 0, 1, 1 })]
    [InlineData(1, "e401", new ulong[] { 0, 1, 2, 3, 1 })]
    [InlineData(2, "21f0", new ulong[] { 1, 2, 0, 15 })]
    [InlineData(3, "01ff02", new ulong[] { 1, 255, 2 })]
    [InlineData(4, "0001ffff0203", new ulong[] { 1, 65535, 0x203 })]
    [InlineData(5, "00000001fffffffe", new ulong[] { 1, 0xfffffffe })]
    [InlineData(6, "0000000000000001ffffffffffffffff", new ulong[] { 1, ulong.MaxValue })]
    public void Counts_are_read_and_written(int order, string hex, ulong[] counts)
    {
        var refcounts = new RefcountOrder(order);
        byte[] block = Convert.FromHexString(hex);
        byte[] written = new byte[block.Length];

        for (int i = 0; i < counts.Length; i++)
        {
            Assert.Equal(counts[i], refcounts.Read(block, i));
            refcounts.Write(written, i, refcounts.MaxValue);
            refcounts.Write(written, i, counts[i]);
        }

        Assert.Equal(block, written);
        Assert.Equal(1 << order, refcounts.Bits);
        Assert.Equal(65536 * 8 / refcounts.Bits, refcounts.EntriesPerBlock(65536));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(7)]
    public void Other_orders_do_not_exist(int order) => Assert.Throws<ArgumentOutOfRangeException>(() => new RefcountOrder(order));

    [Fact]
    public void A_count_that_does_not_fit_is_refused()
        => Assert.Throws<ArgumentOutOfRangeException>(() => new RefcountOrder(1).Write(new byte[1], 0, 4));
}

using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Tests.Codecs;

public sealed class HuffmanCodeTests
{
    [Fact]
    public void Code_is_the_shortest()
    {
        var code = new HuffmanCode(6, 15);
        code.Build([5, 9, 12, 13, 16, 45]);

        Assert.Equal([4, 4, 3, 3, 3, 1], code.Lengths.ToArray());
        Assert.Equal(224, code.Cost([5, 9, 12, 13, 16, 45]));
        Assert.Equal(0b0, code.Bits[5]);
        Assert.Equal(0b001, code.Bits[2]); // 100, the first bit lowest
        Assert.Equal(0b1111, code.Bits[1]);
    }

    [Theory]
    [InlineData(2, 15)]
    [InlineData(16, 15)]
    [InlineData(17, 15)]
    [InlineData(30, 15)]
    [InlineData(19, 7)]
    [InlineData(19, 5)]
    public void No_symbol_is_longer_than_the_limit_and_no_code_is_wasted(int symbols, int limit)
    {
        // Fibonacci's numbers make the deepest tree.
        int[] frequencies = new int[symbols];
        for (int i = 0; i < symbols; i++)
        {
            frequencies[i] = i < 2 ? 1 : frequencies[i - 1] + frequencies[i - 2];
        }

        var code = new HuffmanCode(symbols, limit);
        code.Build(frequencies);

        byte[] lengths = code.Lengths.ToArray();
        Assert.All(lengths, length => Assert.InRange(length, 1, limit));
        Assert.Equal(1 << limit, lengths.Sum(length => 1 << (limit - length)));
        Assert.Equal(lengths.OrderDescending(), lengths);
    }

    [Fact]
    public void One_symbol_or_none_is_a_code_too()
    {
        var code = new HuffmanCode(30, 15);

        code.Build(new int[30]);
        Assert.All(code.Lengths.ToArray(), length => Assert.Equal(0, length));

        int[] one = new int[30];
        one[7] = 3;
        code.Build(one);
        Assert.Equal(1, code.Lengths[7]);
        Assert.Equal(1, code.Lengths.ToArray().Sum(length => length));
    }
}

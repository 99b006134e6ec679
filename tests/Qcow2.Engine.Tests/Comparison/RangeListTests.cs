using Qcow2.Engine.Comparison;

namespace Qcow2.Engine.Tests.Comparison;

public class RangeListTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(100)]
    public void Parts_put_together_are_the_whole(int max)
    {
        var random = new Random(max);
        for (int round = 0; round < 200; round++)
        {
            bool[] blocks = [.. Enumerable.Range(0, 64).Select(_ => random.Next(3) > 0)];
            var whole = new RangeList(max);
            var total = new RangeList(max);
            for (int start = 0; start < blocks.Length;)
            {
                int end = Math.Min(blocks.Length, start + random.Next(1, 30));
                var part = new RangeList(max);
                foreach (int block in Enumerable.Range(start, end - start).Where(block => blocks[block]))
                {
                    whole.Add(new DiskRange(block * 10, 10));
                    part.Add(new DiskRange(block * 10, 10));
                }

                total.Add(part);
                start = end;
            }

            Assert.Equal(blocks.Count(block => block) * 10, whole.Bytes);
            Assert.Equal(Enumerable.Range(0, blocks.Length).Count(i => blocks[i] && (i == 0 || !blocks[i - 1])), whole.Count);
            Assert.Equal((whole.Count, whole.Bytes), (total.Count, total.Bytes));
            Assert.Equal(whole.Listed, total.Listed);
        }
    }

    [Fact]
    public void Block_that_is_found_twice_counts_once()
    {
        var ranges = new RangeList(10);
        ranges.Add(new DiskRange(0, 10));
        ranges.Add(new DiskRange(0, 10));
        ranges.Add(new DiskRange(10, 10));
        ranges.Add(new DiskRange(10, 10));
        ranges.Add(new DiskRange(40, 10));

        Assert.Equal((2, 30), (ranges.Count, ranges.Bytes));
        Assert.Equal([new DiskRange(0, 20), new DiskRange(40, 10)], ranges.Listed);
    }
}

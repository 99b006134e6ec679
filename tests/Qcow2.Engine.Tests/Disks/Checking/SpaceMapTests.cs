using Qcow2.Engine.Disks.Checking;

namespace Qcow2.Engine.Tests.Disks.Checking;

/// <summary>The map of units in use, against an array of booleans.</summary>
public sealed class SpaceMapTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 63)]
    [InlineData(3, 64)]
    [InlineData(4, 65_536)]
    [InlineData(5, 200_001)]
    public void Takes_and_finds_what_an_array_does(int seed, int units)
    {
        var random = new Random(seed);
        var map = new SpaceMap(units);
        bool[] model = new bool[units];
        for (int i = 0; i < 60; i++)
        {
            int first = random.Next(-100, units + 50);
            int count = random.Next(1, random.Next(3) == 0 ? units + 100 : 70);
            int[] touched = [.. Enumerable.Range(first, count).Where(unit => unit >= 0 && unit < units)];
            bool isFree = touched.All(unit => !model[unit]);
            Assert.Equal(isFree, map.IsFree(first, count));
            if (random.Next(3) > 0)
            {
                Assert.Equal(isFree, map.TryTake(first, count));
                Array.ForEach(touched, unit => model[unit] = true);
            }

            if (i % 20 == 19)
            {
                model = model.Select((taken, unit) => taken && random.Next(units < 1000 ? 2 : 1) == 0).ToArray();
                map = Of(model);
            }
        }

        Assert.Equal(RunsOf(model), map.Free());
    }

    [Fact]
    public void Takes_what_another_map_has_taken()
    {
        var one = new SpaceMap(200_000);
        var other = new SpaceMap(200_000);
        one.TryTake(5, 1);
        other.TryTake(7, 1);
        other.TryTake(150_000, 50_000);
        one.Add(other);
        Assert.Equal([(0, 5), (6, 1), (8, 149_992)], one.Free());
        Assert.Equal([(0, 7), (8, 149_992)], other.Free());
    }

    [Fact]
    public void Memory_is_taken_where_bits_are_set()
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        var map = new SpaceMap(SpaceMap.MaxUnits);
        Assert.True(map.TryTake(SpaceMap.MaxUnits - 1, 5));
        Assert.Equal([(0L, SpaceMap.MaxUnits - 1)], map.Free());
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        Assert.Throws<ArgumentOutOfRangeException>(() => new SpaceMap(SpaceMap.MaxUnits + 1));
    }

    private static SpaceMap Of(bool[] model)
    {
        var map = new SpaceMap(model.Length);
        for (int i = 0; i < model.Length; i++)
        {
            if (model[i])
            {
                map.TryTake(i, 1);
            }
        }

        return map;
    }

    private static List<(long First, long Count)> RunsOf(bool[] model)
    {
        var runs = new List<(long First, long Count)>();
        for (int i = 0; i < model.Length; i++)
        {
            if (model[i])
            {
                continue;
            }

            int start = i;
            while (i < model.Length && !model[i])
            {
                i++;
            }

            runs.Add((start, i - start));
        }

        return runs;
    }
}

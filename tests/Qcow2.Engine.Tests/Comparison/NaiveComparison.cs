using Qcow2.Engine.Comparison;

namespace Qcow2.Engine.Tests.Comparison;

/// <summary>What a comparison of two disks must say, found by reading both to their ends.</summary>
internal sealed record NaiveComparison(long? First, List<DiskRange> Ranges)
{
    internal long Bytes => Ranges.Sum(range => range.Length);

    internal static NaiveComparison Of(VirtualDisk disk, VirtualDisk other) => Of(ContentOf(disk), ContentOf(other));

    internal static NaiveComparison Of(byte[] content, byte[] other)
    {
        int length = Math.Max(content.Length, other.Length);
        Array.Resize(ref content, length);
        Array.Resize(ref other, length);
        long? first = null;
        var ranges = new List<DiskRange>();
        for (int start = 0; start < length; start += PartComparer.BlockSize)
        {
            int end = Math.Min(length, start + PartComparer.BlockSize);
            for (int i = start; i < end; i++)
            {
                if (content[i] != other[i])
                {
                    first ??= i;
                    Join(ranges, new DiskRange(start, end - start));
                    break;
                }
            }
        }

        return new NaiveComparison(first, ranges);
    }

    internal static byte[] ContentOf(VirtualDisk disk)
    {
        byte[] content = new byte[disk.Length];
        Assert.Equal(content.Length, disk.Read(0, content));
        return content;
    }

    /// <summary>Compares on 1, 2 and 8 threads, all at once and up to the first difference.</summary>
    internal void AssertSaidOf(VirtualDisk disk, VirtualDisk other, int maxRanges = 1_000)
    {
        foreach (int threads in (int[])[1, 2, 8])
        {
            var options = new DiskCompareOptions { ThrottleLimit = threads, MaxRanges = maxRanges };
            Qcow2CompareResult all = DiskComparer.Compare(disk, other, options);
            Assert.Equal(First, all.FirstDifference);
            Assert.Equal(Ranges.Take(maxRanges), all.Ranges);
            Assert.Equal((Ranges.Count, Bytes), (all.RangeCount, all.DifferingBytes));
            Assert.Equal(First is null, all.AreEqual);

            Qcow2CompareResult quick = DiskComparer.Compare(disk, other, options with { StopAtFirst = true });
            Assert.Equal((First, First is null), (quick.FirstDifference, quick.AreEqual));
            Assert.Equal(First is null ? 0 : null, quick.DifferingBytes);
        }
    }

    private static void Join(List<DiskRange> ranges, DiskRange range)
    {
        if (ranges.Count > 0 && ranges[^1].End == range.Offset)
        {
            ranges[^1] = ranges[^1] with { Length = ranges[^1].Length + range.Length };
        }
        else
        {
            ranges.Add(range);
        }
    }
}

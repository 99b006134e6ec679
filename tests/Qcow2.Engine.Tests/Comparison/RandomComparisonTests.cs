using Qcow2.Engine.Tests.Formats.Qcow2.Writing;

namespace Qcow2.Engine.Tests.Comparison;

/// <summary>Random disks of all layouts, of several parts each, beside a comparison byte by byte.</summary>
public class RandomComparisonTests
{
    private static readonly int[] ClusterSizes = [512, 4096, 65_536, 2 << 20];

    [Fact]
    public void Result_is_that_of_a_comparison_byte_by_byte()
    {
        for (int round = 0; round < TestRounds.Times(8); round++)
        {
            int seed = TestRounds.Seed(nameof(RandomComparisonTests)) + round;
            var random = new Random(seed);
            using VirtualDisk disk = Create(random, seed);
            using VirtualDisk other = Create(random, random.Next(3) > 0 ? seed : seed ^ 1);
            try
            {
                NaiveComparison.Of(disk, other).AssertSaidOf(disk, other, maxRanges: random.Next(5) switch { 0 => 0, 1 => 1, 2 => 3, _ => 1_000 });
            }
            catch (Exception e) when (e is Xunit.Sdk.XunitException)
            {
                throw new InvalidOperationException($"seed {seed} ({disk.Length} and {other.Length} bytes): {e.Message}", e);
            }
        }
    }

    /// <summary>A disk of the content that a seed stands for, in a random layout, with a few changes of its own.</summary>
    private static VirtualDisk Create(Random random, int contentSeed)
    {
        var content = new Random(contentSeed);
        long size = (content.Next(8, 30) << 20) + (content.Next(3) * 512);
        size -= random.Next(4) == 0 ? random.Next(1, 20) * 512 << random.Next(11) : 0;
        bool isRaw = random.Next(4) == 0;
        VirtualDisk disk = isRaw
            ? RawDisk.Open(new MemoryStorage(new byte[size]), isWritable: true)
            : Qcow2Image.Create(new MemoryStorage([]), size, LayoutOf(random));
        for (int i = 0; i < 40; i++)
        {
            Write(disk, content);
        }

        for (int i = random.Next(5); i > 0; i--)
        {
            Write(disk, random, maxLength: random.Next(4) == 0 ? 1 << 20 : 2_000);
        }

        return disk;
    }

    private static Qcow2CreateOptions LayoutOf(Random random)
    {
        int clusterSize = ClusterSizes[random.Next(ClusterSizes.Length)];
        return new Qcow2CreateOptions { ClusterSize = clusterSize, ExtendedL2 = clusterSize >= 16_384 && random.Next(2) == 0 };
    }

    private static void Write(VirtualDisk disk, Random random, int maxLength = 300_000)
    {
        long offset = random.NextInt64(30 << 20);
        int length = random.Next(1, maxLength);
        int kind = random.Next(6);
        byte[] data = new byte[length];
        if (kind > 0)
        {
            random.NextBytes(data); // The same numbers are drawn whatever the disk's size is.
        }

        int count = (int)Math.Min(length, disk.Length - offset);
        if (count <= 0)
        {
            return;
        }

        if (kind == 1)
        {
            disk.WriteZeroes(offset, count);
        }
        else
        {
            disk.Write(offset, data.AsSpan(0, count)); // of kind 0 zeros that are data
        }
    }
}

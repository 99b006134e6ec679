using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Metadata;

public sealed class ClusterMapTests
{
    /// <summary>A writer gives the disk an L2 table while readers look for it: what they find is what was or what is, and something at any rate.</summary>
    [Fact]
    public async Task What_is_found_is_never_empty_while_a_table_comes_and_goes()
    {
        var storage = new MemoryStorage(new ImageBuilder { Size = 8 << 20, DataClusters = 2 }.Build().Bytes);
        Qcow2Header header = HeaderCluster.Load(storage);
        L1Table l1 = L1Table.Load(storage, header.L1TableOffset, header.L1Size, "The active L1 table");
        var map = new ClusterMap(header, l1, new L2Cache(storage, header.Geometry, 1 << 20));
        L1Entry table = l1[0];
        using var stop = new CancellationTokenSource();
        Task writer = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                l1.Set(0, default);
                l1.Set(0, table);
            }
        });

        long shortest = long.MaxValue;
        for (int i = 0; i < 500_000 && shortest > 0; i++)
        {
            shortest = Math.Min(shortest, map.Find(4096, 8192).Length);
        }

        await stop.CancelAsync();
        await writer;
        Assert.InRange(shortest, 1, 8192);
    }
}

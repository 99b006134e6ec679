using Qcow2.Engine.Conversion;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Allocation;

public sealed class AllocationMapTests
{
    /// <summary>Images of the fixtures whose maps have everything: chains, compression, zeros, holes, subclusters.</summary>
    public static TheoryData<string> WithMap => Fixtures.WithMap;

    public static TheoryData<Type> Layouts => [.. typeof(DiskCreateOptions).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(DiskCreateOptions)) && !type.IsAbstract)];

    [Theory]
    [MemberData(nameof(WithMap))]
    public void Says_of_each_cell_what_the_extents_say(string name)
    {
        using var disk = Qcow2Image.Open(Fixtures.Get(name).Path, new Qcow2OpenOptions());
        foreach (int count in new[] { 1, 7, 64, 1000 })
        {
            IsModel(disk, count);
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Is_that_of_any_format(Type layout)
    {
        using var folder = new TempFolder();
        string path = folder.File("disk.any");
        var options = (DiskCreateOptions)Activator.CreateInstance(layout)!;
        using (var source = Qcow2Image.Open(Fixtures.Get("v3").Path, new Qcow2OpenOptions()))
        {
            DiskConverter.Convert(source, path, options);
        }

        using VirtualDisk disk = DiskFormats.Get(options.FormatName).Open(path);
        Assert.True(IsModel(disk, 100).Layers.Single().Total.DataBytes > 0);
    }

    [Fact]
    public void Of_random_chains_is_that_of_a_map_of_sectors()
    {
        for (int seed = 0; seed < 20; seed++)
        {
            var random = new Random(seed);
            VirtualDisk? disk = null;
            for (int depth = random.Next(1, 5); depth > 0; depth--)
            {
                disk = new DrawnDisk(random, disk);
            }

            foreach (int count in new[] { 1, 3, 100, 1 + random.Next(AllocationMap.MaxCellCount) })
            {
                IsModel(disk!, count);
            }
        }
    }

    [Fact]
    public void Of_a_disk_of_nearly_the_largest_size_is_exact()
    {
        AllocationMap map = AllocationMap.Read(new EmptyDisk(long.MaxValue - 511), AllocationMap.MaxCellCount);
        Assert.Equal(AllocationMap.MaxCellCount, map.Cells.Count);
        Assert.Equal(long.MaxValue - 511, map.UnallocatedBytes);
        Assert.Equal(map.Size, map.Cells.Sum(cell => cell.Length));
        Assert.InRange(map.Cells.Max(cell => cell.Length) - map.Cells.Min(cell => cell.Length), 0, 1);
    }

    [Fact]
    public void Of_an_empty_disk_has_no_cells_and_of_a_small_one_a_cell_for_each_sector_at_most()
    {
        Assert.Empty(AllocationMap.Read(new EmptyDisk(0), 10).Cells);
        Assert.Equal(3, AllocationMap.Read(new EmptyDisk(1025), 10).Cells.Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(AllocationMap.MaxCellCount + 1)]
    public void Has_a_bound(int count) => Assert.Throws<ArgumentOutOfRangeException>(() => AllocationMap.Read(new EmptyDisk(1 << 20), count));

    [Fact]
    public void Takes_no_memory_for_the_disk()
    {
        long Allocated(long size)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            AllocationMap.Read(new StripedDisk(size), 100);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Allocated(1 << 20);
        Assert.InRange(Allocated(1L << 34) - Allocated(1L << 24), 0, 4096);
    }

    [Fact]
    public void Can_be_stopped()
    {
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.Throws<OperationCanceledException>(() => AllocationMap.Read(new StripedDisk(1 << 20), 10, null, stop.Token));
    }

    /// <summary>Counts byte by byte, sector by sector, what the map must say.</summary>
    private static AllocationMap IsModel(VirtualDisk disk, int count)
    {
        AllocationMap map = AllocationMap.Read(disk, count);
        List<DiskExtent> extents = [.. disk.GetExtents()];
        long position = 0;
        foreach (AllocationCell cell in map.Cells)
        {
            Assert.Equal(position, cell.Offset);
            Assert.True(cell.Length > 0);
            position += cell.Length;
            var expected = Overlaps(extents, cell.Offset, cell.Offset + cell.Length);
            Assert.Equal(expected, cell.Shares.OrderBy(share => share.Depth));
        }

        Assert.Equal(disk.Length, position);
        Assert.Equal(Math.Min(count, (disk.Length + 511) / 512), map.Cells.Count);
        Assert.Equal(Overlaps(extents, 0, disk.Length), map.Layers.Select(layer => layer.Total).Where(total => total.Bytes > 0));
        Assert.Equal(extents.Where(extent => extent.Kind == ExtentKind.Unallocated).Sum(extent => extent.Length), map.UnallocatedBytes);
        for (VirtualDisk? layer = disk; layer is not null; layer = layer.Backing)
        {
            Assert.Contains(layer.Path, map.Layers.Select(one => one.Path));
        }

        return map;
    }

    private static List<AllocationShare> Overlaps(List<DiskExtent> extents, long start, long end)
        => [.. extents.Where(extent => extent.Kind != ExtentKind.Unallocated && extent.Offset < end && extent.End > start).GroupBy(extent => extent.Depth).OrderBy(group => group.Key)
            .Select(group =>
            {
                long Sum(Func<DiskExtent, bool> which) => group.Where(which).Sum(extent => Math.Min(end, extent.End) - Math.Max(start, extent.Offset));
                return new AllocationShare(group.Key, Sum(one => one is { Kind: ExtentKind.Data, IsCompressed: false }), Sum(one => one.IsCompressed), Sum(one => one.Kind == ExtentKind.Zero));
            })];

    private abstract class MapOnly(long length, VirtualDisk? backing) : VirtualDisk
    {
        public override string Path { get; } = $"/layer-{Guid.NewGuid()}";

        public override long Length => length;

        public override VirtualDisk? Backing => backing;

        protected internal override void ReadCore(long offset, Span<byte> buffer) => throw new NotSupportedException("A map reads no data.");

        protected IEnumerable<DiskExtent> Below(long offset, long part, int depth) => BackingExtents(offset, part, depth);

        protected DiskExtent Own(long offset, long part, ExtentKind kind, int depth, bool isCompressed = false) => new(offset, part, kind, depth, Path, null, isCompressed);
    }

    private sealed class EmptyDisk(long length) : MapOnly(length, null)
    {
        protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
            => length > 0 ? [Own(offset, length, ExtentKind.Unallocated, depth)] : [];
    }

    /// <summary>Data and zeros in turns.</summary>
    private sealed class StripedDisk(long length) : MapOnly(length, null)
    {
        protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
        {
            const int Stripe = 65536;
            for (long at = offset; at < offset + length; at += Stripe)
            {
                yield return Own(at, Math.Min(Stripe, offset + length - at), at / Stripe % 2 == 0 ? ExtentKind.Data : ExtentKind.Zero, depth);
            }
        }
    }

    /// <summary>Anything anywhere, at any size.</summary>
    private sealed class DrawnDisk : MapOnly
    {
        private readonly int[] _sectors;

        internal DrawnDisk(Random random, VirtualDisk? backing)
            : base(random.Next(1, 3000) * 512L, backing)
        {
            _sectors = new int[Length / 512];
            for (int at = 0; at < _sectors.Length;)
            {
                int kind = random.Next(4);
                for (int run = random.Next(1, 200); run > 0 && at < _sectors.Length; run--)
                {
                    _sectors[at++] = kind;
                }
            }
        }

        protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
        {
            for (long at = offset; at < offset + length; at += 512)
            {
                IEnumerable<DiskExtent> here = _sectors[at / 512] switch
                {
                    0 => Below(at, 512, depth),
                    1 => [Own(at, 512, ExtentKind.Data, depth)],
                    2 => [Own(at, 512, ExtentKind.Data, depth, isCompressed: true)],
                    _ => [Own(at, 512, ExtentKind.Zero, depth)],
                };
                foreach (DiskExtent extent in here)
                {
                    yield return extent;
                }
            }
        }
    }
}

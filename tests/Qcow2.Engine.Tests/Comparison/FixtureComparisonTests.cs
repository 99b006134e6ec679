using System.Security.Cryptography;
using Qcow2.Engine.Format;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Comparison;

/// <summary>Every fixture equals the raw disk that qemu-img makes of it, and no other.</summary>
public class FixtureComparisonTests
{
    [Theory]
    [MemberData(nameof(Fixtures.WithContent), MemberType = typeof(Fixtures))]
    public void Fixture_equals_its_content_and_nothing_else(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        using Qcow2Image image = fixture.Open();
        byte[] content = NaiveComparison.ContentOf(image);
        Assert.Equal(fixture.DiskSha256, Convert.ToHexStringLower(SHA256.HashData(content)));
        using RawDisk raw = RawDisk.Open(new MemoryStorage(content));

        Qcow2CompareResult equal = DiskComparer.Compare(image, raw);
        Assert.True(equal.AreEqual);
        Assert.Equal((null, 0L, 0L), (equal.FirstDifference, equal.DifferingBytes, equal.RangeCount));

        foreach (long position in Positions(image))
        {
            content[position] ^= 0x10; // the raw disk's own bytes
            Qcow2CompareResult result = DiskComparer.Compare(image, raw, new DiskCompareOptions { ThrottleLimit = 2 });
            Qcow2CompareResult reverse = DiskComparer.Compare(raw, image, new DiskCompareOptions { StopAtFirst = true });
            content[position] ^= 0x10;

            long block = position & ~4095L;
            Assert.Equal(position, result.FirstDifference);
            Assert.Equal([new DiskRange(block, Math.Min(4096, content.Length - block))], result.Ranges);
            Assert.Equal((position, false), (reverse.FirstDifference, reverse.AreEqual));
        }
    }

    [Theory]
    [MemberData(nameof(Fixtures.WithSnapshots), MemberType = typeof(Fixtures))]
    public void Snapshots_differ_from_the_disk_where_their_bytes_do(string name)
    {
        using Qcow2Image image = Fixtures.Get(name).Open();
        foreach (SnapshotTableEntry snapshot in image.Snapshots)
        {
            using VirtualDisk disk = image.OpenSnapshot(snapshot);
            NaiveComparison.Of(disk, image).AssertSaidOf(disk, image);
            NaiveComparison.Of(image, disk).AssertSaidOf(image, disk);
        }
    }

    [Fact]
    public void Huge_disk_is_not_read_where_it_is_empty()
    {
        using Qcow2Image image = Fixtures.Get("sparse-1t").Open();
        using Qcow2Image empty = Qcow2Image.Create(new MemoryStorage([]), image.Length);
        DiskExtent first = image.GetExtents().First(extent => extent.Kind == ExtentKind.Data);

        Qcow2CompareResult result = DiskComparer.Compare(image, empty);

        Assert.InRange(result.FirstDifference!.Value, first.Offset, first.End - 1);
        Assert.InRange(result.DifferingBytes!.Value, 1, image.GetExtents().Where(extent => extent.Kind == ExtentKind.Data).Sum(extent => extent.Length));
    }

    /// <summary>The ends, both sides of where extents meet, and the middle of holes.</summary>
    private static List<long> Positions(Qcow2Image image)
    {
        var positions = new SortedSet<long> { 0, image.Length - 1, image.Length / 2 };
        List<DiskExtent> extents = [.. image.GetExtents()];
        foreach (DiskExtent extent in extents.Take(4).Concat(extents.TakeLast(4)))
        {
            positions.Add(extent.Offset - 1);
            positions.Add(extent.Offset);
            positions.Add(extent.Offset + (extent.Length / 2));
        }

        return [.. positions.Where(position => position >= 0 && position < image.Length)];
    }
}

using System.Text.Json;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>Extents say what <c>qemu-img map</c> says.</summary>
public class FixtureMapTests
{
    [Theory]
    [MemberData(nameof(Fixtures.WithMap), MemberType = typeof(Fixtures))]
    public void Extents_agree_with_qemu_img_map(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        using Qcow2Image image = fixture.Open();
        using JsonDocument map = fixture.ReadMap();
        List<DiskExtent> extents = [.. image.GetExtents()];

        long position = 0;
        foreach (DiskExtent extent in extents)
        {
            Assert.Equal(position, extent.Offset);
            Assert.True(extent.Length > 0);
            position = extent.End;
        }

        Assert.Equal(image.Length, position);

        foreach (JsonElement expected in map.RootElement.EnumerateArray())
        {
            long start = expected.GetProperty("start").GetInt64();
            long end = Math.Min(start + expected.GetProperty("length").GetInt64(), image.Length);
            foreach (DiskExtent extent in extents.Where(extent => extent.Offset < end && extent.End > start))
            {
                Compare(expected, extent, start);
            }
        }
    }

    private static void Compare(JsonElement expected, DiskExtent extent, long start)
    {
        string where = $"{extent} against {expected}";
        bool data = expected.GetProperty("data").GetBoolean();
        Assert.True(data == (extent.Kind == ExtentKind.Data), where);

        if (data)
        {
            Assert.True(expected.GetProperty("depth").GetInt32() == extent.Depth, where);
        }

        // qemu-img shows no offset for encrypted data; we do.
        if (expected.TryGetProperty("offset", out JsonElement offset) && extent.Kind == ExtentKind.Data)
        {
            Assert.NotNull(extent.HostOffset);
            Assert.Equal(offset.GetInt64() - start, extent.HostOffset.Value - extent.Offset);
        }
    }

    [Fact]
    public void Enumeration_can_be_stopped()
    {
        using Qcow2Image image = Fixtures.Get("extl2").Open();
        using var stop = new CancellationTokenSource();
        using IEnumerator<DiskExtent> extents = image.GetExtents(0, image.Length, stop.Token).GetEnumerator();

        Assert.True(extents.MoveNext());
        stop.Cancel();

        Assert.Throws<OperationCanceledException>(() => extents.MoveNext());
    }

    [Fact]
    public void Extents_of_a_part_are_cut_to_it()
    {
        using Qcow2Image image = Fixtures.Get("extl2").Open();
        List<DiskExtent> all = [.. image.GetExtents()];

        List<DiskExtent> part = [.. image.GetExtents(67_000, 200_000)];

        Assert.Equal(67_000, part[0].Offset);
        Assert.Equal(267_000, part[^1].End);
        Assert.All(part, extent => Assert.Contains(
            all, whole => whole.Kind == extent.Kind && whole.Offset <= extent.Offset && whole.End >= extent.End));
        Assert.Empty(image.GetExtents(image.Length, 10));
    }
}

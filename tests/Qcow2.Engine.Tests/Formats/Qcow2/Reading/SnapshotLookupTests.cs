using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

public class SnapshotLookupTests
{
    [Fact]
    public void Id_and_name_are_found()
    {
        using Qcow2Image image = Fixtures.Get("snapshots").Open();

        Assert.Equal("2", image.FindSnapshot("2").Id);
        Assert.Equal("first", image.FindSnapshot("first").Name);
    }

    [Fact]
    public void Unknown_name_lists_what_there_is()
    {
        using Qcow2Image image = Fixtures.Get("snapshots").Open();

        var error = Assert.Throws<Qcow2Exception>(() => image.FindSnapshot("nonesuch"));

        Assert.Equal(Qcow2ErrorCode.SnapshotNotFound, error.Code);
        Assert.Contains("'nonesuch'", error.Message, StringComparison.Ordinal);
        Assert.Contains("'first' (id 1)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ambiguous_name_asks_for_an_id()
    {
        using Qcow2Image image = Fixtures.Get("snapshots").Open();
        string twin = image.Snapshots.GroupBy(snapshot => snapshot.Name).First(group => group.Count() > 1).Key;

        var error = Assert.Throws<Qcow2Exception>(() => image.FindSnapshot(twin));

        Assert.Contains("by its id", error.Message, StringComparison.Ordinal);
    }
}

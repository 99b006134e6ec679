namespace Qcow2.Engine.Tests.Formats.Qcow2.Snapshots;

/// <summary>The one rule by which snapshots are chosen.</summary>
public sealed class SnapshotSelectorTests
{
    private static readonly DateTime Taken = new(2026, 3, 4, 5, 6, 7, 890, DateTimeKind.Local);

    /// <summary>Name "3" is an id, "twin" is there twice, "case" and "CASE" differ by nothing else, and two have the id 9: a damaged table.</summary>
    private static readonly Qcow2Snapshot[] All =
    [
        Make("1", "first"), Make("2", "3"), Make("3", "third"), Make("4", "twin"), Make("5", "twin"), Make("6", "case"), Make("7", "CASE"),
        Make("9", "nine"), Make("9", "neun"),
    ];

    [Theory]
    [InlineData("1", "first")]
    [InlineData("first", "first")]
    [InlineData("FIRST", "first")]
    [InlineData("case", "case")]
    [InlineData("CASE", "CASE")]
    [InlineData("7", "CASE")]
    [InlineData("nine", "nine")]
    public void An_id_or_a_name_finds_what_it_can_only_mean(string text, string name)
        => Assert.Equal(name, SnapshotSelector.Of(text).Find(All).Name);

    [Theory]
    [InlineData("3", "'3' (id 2), 'third' (id 3)")]
    [InlineData("twin", "'twin' (id 4), 'twin' (id 5)")]
    [InlineData("Case", "'case' (id 6), 'CASE' (id 7)")]
    [InlineData("9", "'nine' (id 9), 'neun' (id 9)")]
    public void What_means_several_is_an_error_that_lists_them(string text, string listed)
    {
        var error = Assert.Throws<Qcow2Exception>(() => SnapshotSelector.Of(text).Find(All));
        Assert.Equal(Qcow2ErrorCode.SnapshotAmbiguous, error.Code);
        Assert.Contains(listed, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("3", null, "third")]
    [InlineData("2", "3", "3")]
    [InlineData("5", "TWIN", "twin")]
    public void An_id_settles_it(string id, string? text, string name)
    {
        Qcow2Snapshot found = new SnapshotSelector { Id = id, IdOrName = text }.Find(All);
        Assert.Equal((id, name), (found.Id, found.Name));
    }

    [Theory]
    [InlineData("3", "3", Qcow2ErrorCode.SnapshotChanged)]
    [InlineData("1", "third", Qcow2ErrorCode.SnapshotChanged)]
    [InlineData("8", "first", Qcow2ErrorCode.SnapshotNotFound)]
    public void Id_and_name_must_both_fit(string id, string text, Qcow2ErrorCode code)
        => Assert.Equal(code, Assert.Throws<Qcow2Exception>(() => new SnapshotSelector { Id = id, IdOrName = text }.Find(All)).Code);

    [Fact]
    public void An_object_finds_itself_alone()
    {
        Assert.All(All, snapshot => Assert.Same(snapshot, SnapshotSelector.Of(snapshot).Find(All)));
        Assert.Equal("first", SnapshotSelector.Of(new Qcow2Snapshot { Id = "1" }).Find(All).Name);
        Assert.Equal("1", SnapshotSelector.Of(new Qcow2Snapshot { Name = "first" }).Find(All).Id);

        Qcow2Snapshot nameless = Make("", "", Taken.AddDays(1));
        Assert.Same(nameless, SnapshotSelector.Of(nameless).Find([.. All, nameless]));

        foreach (Qcow2Snapshot other in new[] { Make("1", "renamed"), Make("1", "first", Taken.AddSeconds(1)), Make("1", "first", Taken.AddTicks(1)) })
        {
            var error = Assert.Throws<Qcow2Exception>(() => SnapshotSelector.Of(other).Find(All));
            Assert.Equal(Qcow2ErrorCode.SnapshotChanged, error.Code);
            Assert.Contains("'first'", error.Message, StringComparison.Ordinal);
        }

        Assert.Equal(
            Qcow2ErrorCode.SnapshotNotFound,
            Assert.Throws<Qcow2Exception>(() => SnapshotSelector.Of(new Qcow2Snapshot()).Find(All)).Code);
    }

    [Fact]
    public void A_time_is_compared_as_exactly_as_it_is_said()
    {
        foreach (DateTime said in new[] { Taken, Taken.ToUniversalTime(), new DateTime(2026, 3, 4, 5, 6, 7), new DateTime(2026, 3, 4, 5, 6, 0) })
        {
            Assert.Equal("1", SnapshotSelector.Of(Make("1", "first", said)).Find(All).Id);
        }

        foreach (DateTime said in new[] { Taken.AddMinutes(1), new DateTime(2026, 3, 4, 5, 6, 8), new DateTime(2026, 3, 4, 5, 7, 0) })
        {
            Assert.Throws<Qcow2Exception>(() => SnapshotSelector.Of(Make("1", "first", said)).Find(All));
        }
    }

    private static Qcow2Snapshot Make(string id, string name, DateTime? taken = null) => new() { Id = id, Name = name, CreationTime = taken ?? Taken };
}

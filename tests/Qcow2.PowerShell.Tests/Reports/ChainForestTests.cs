using Qcow2.PowerShell.Reports;

namespace Qcow2.PowerShell.Tests.Reports;

public sealed class ChainForestTests
{
    [Fact]
    public void Files_that_several_images_need_are_there_once()
    {
        var forest = new ChainForest([Image("a", "middle", "base"), Image("b", "base"), Image("base"), Image("alone"), Image("middle", "base")]);
        Assert.Equal("base(middle(a),b)", Shape(forest));
        Assert.Equal(1, forest.AloneCount);
        ChainNode root = Assert.Single(forest.Roots);
        Assert.Equal(2, root.Image);
        Assert.Equal([4, 1], root.Above.Select(node => node.Image));
    }

    [Fact]
    public void A_file_that_was_not_asked_for_is_a_node_without_an_image()
        => Assert.Null(Assert.Single(new ChainForest([Image("a", "base")]).Roots).Image);

    [Fact]
    public void What_misses_one_file_is_told_once()
    {
        var forest = new ChainForest([Broken("a", "gone"), Broken("b", "gone"), Broken("c", "other")]);
        Assert.Equal("gone!(a,b) other!(c)", Shape(forest));
    }

    [Fact]
    public void A_circle_has_an_end()
    {
        // The chain of a leads to b and from there to a again, and that of b the other way round.
        var forest = new ChainForest([Image("a", "b") with { Broken = Link("a") }, Image("b", "a") with { Broken = Link("b") }]);
        Assert.Equal("a!(b(a))", Shape(forest));
        Assert.Equal("self!(self)", Shape(new ChainForest([Broken("self", "self")])));
        Assert.Equal("a(b(c))", Shape(new ChainForest([Image("b", "a"), Image("c", "b"), Image("a", "c")])));
    }

    [Fact]
    public void A_missing_file_that_is_an_image_of_the_report_is_both()
        => Assert.Equal("b(c) b!(a)", Shape(new ChainForest([Image("b"), Image("c", "b"), Broken("a", "b")])));

    private static ReportImage Image(string name, params string[] below) => new(File(name)) { Below = [.. below.Select(File)] };

    private static ReportImage Broken(string name, string missing) => new(File(name)) { Broken = Link(missing) };

    private static BrokenLink Link(string name) => new(File(name), "it is gone", IsRefused: false);

    private static ReportFile File(string name) => ReportFile.At(name) with { Format = "qcow2" };

    private static string Shape(ChainForest forest) => string.Join(' ', forest.Roots.Select(Shape));

    private static string Shape(ChainNode node)
        => node.File.Name + (node.Broken is null ? "" : "!") + (node.Above.Count == 0 ? "" : $"({string.Join(',', node.Above.Select(Shape))})");
}

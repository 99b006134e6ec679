using Qcow2.HelpGenerator.Output;

namespace Qcow2.PowerShell.Tests.Help;

public sealed class MarkdownWriterTests
{
    private static readonly string Page = MarkdownWriter.Write(SampleHelp.Set);

    [Fact]
    public void Sections_come_in_order()
    {
        string[] sections = [.. Page.Split('\n').Where(line => line.StartsWith("## ", StringComparison.Ordinal))];
        Assert.Equal(
            ["## Synopsis", "## Syntax", "## Description", "## Examples", "## Parameters", "## Inputs", "## Outputs", "## Related links"],
            sections);
    }

    [Fact]
    public void Lines_end_as_on_Unix_and_the_file_with_one_of_them()
    {
        Assert.DoesNotContain('\r', Page);
        Assert.EndsWith("\n", Page, StringComparison.Ordinal);
        Assert.DoesNotContain("\n\n\n", Page, StringComparison.Ordinal);
        Assert.False(Page.EndsWith("\n\n", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("See [Get-HelpSample](Get-HelpSample.md) with `-Count`, or `SampleItem`, `Green`, `null`, [a page](https://example.org).")]
    [InlineData(@"A list & a \* star:")]
    [InlineData("- one\n- two: with `code`\n\n1. first\n2. second\n")]
    [InlineData("### Example 1: Paint it\n\n```powershell\nSet-HelpSample a.txt |\n    Out-Null\n```\n\nPaints.\n\nTwice.\n\n### Example 2\n")]
    [InlineData("### Path (default)\n\n```text\nSet-HelpSample [-Path] <string[]>")]
    [InlineData("- `Blue`: Like the sky.\n- `Green`: Like `grass`.\n\n| | |\n| --- | --- |\n| Type | `SampleColor` |\n")]
    [InlineData("| Accepted values | `Blue`, `Green` |\n| Required | no |\n| Position | 1 |\n| Default | `Green` |\n")]
    [InlineData("| Parameter sets | `Path` |\n| Required | yes |\n| Position | 0 |\n| Default | none |\n| Pipeline input | by value, by property name |\n| Wildcards | yes |\n")]
    [InlineData("Aliases: `shs`\n")]
    [InlineData("- [Get-HelpSample](Get-HelpSample.md)\n- [More](https://example.org/more)\n")]
    public void The_page_has(string part) => Assert.Contains(part, Page, StringComparison.Ordinal);

    [Fact]
    public void The_index_lists_every_command()
    {
        string index = MarkdownIndexWriter.Write(SampleHelp.All);
        Assert.Contains("| [Get-HelpSample](Get-HelpSample.md) | Gets samples. |\n", index, StringComparison.Ordinal);
        Assert.Contains("| [Set-HelpSample](Set-HelpSample.md) | Sets samples. |\n", index, StringComparison.Ordinal);
    }

    [Fact]
    public void A_command_without_inputs_and_outputs_says_so()
        => Assert.Contains("## Inputs\n\nNone\n\n## Outputs\n\nNone\n", MarkdownWriter.Write(SampleHelp.Get), StringComparison.Ordinal);
}

using Qcow2.HelpGenerator.Model;
using Qcow2.HelpGenerator.Output;

namespace Qcow2.PowerShell.Tests.Help;

public sealed class HelpModelTests
{
    [Fact]
    public void Commands_are_sorted_by_name()
        => Assert.Equal(["Clear-HelpSample", "Get-HelpSample", "Set-HelpSample"], SampleHelp.All.Select(command => command.Name));

    [Fact]
    public void Parameters_are_sorted_and_end_with_those_of_ShouldProcess()
        => Assert.Equal(
            ["Color", "Folder", "Force", "Inherited", "LiteralPath", "Path", "Size", "Threads", "Word", "Confirm", "WhatIf"],
            SampleHelp.Set.Parameters.Select(parameter => parameter.Name));

    [Theory]
    [InlineData("Path", "The files.")]
    [InlineData("Inherited", "Declared in the base class.")]
    [InlineData("Color", "The colour. See -Force.")]
    [InlineData("WhatIf", "Shows what would happen. Nothing is changed.")]
    public void A_parameter_is_described(string name, string expected)
        => Assert.Equal(expected, PlainText.Line(SampleHelp.Parameter(name).Description));

    [Theory]
    [InlineData("Path", "None")]
    [InlineData("Color", "Green")]
    [InlineData("Threads", "One for each")]
    [InlineData("Size", "None")]
    [InlineData("Folder", "The current folder")]
    [InlineData("Force", "False")]
    [InlineData("WhatIf", "False")]
    public void A_parameter_has_a_default(string name, string expected) => Assert.Equal(expected, SampleHelp.Parameter(name).DefaultValue);

    [Theory]
    [InlineData("Path", "string[]")]
    [InlineData("Color", "SampleColor")]
    [InlineData("Size", "int")]
    [InlineData("Force", "SwitchParameter")]
    public void A_type_is_named_as_users_write_it(string name, string expected) => Assert.Equal(expected, SampleHelp.Parameter(name).TypeName);

    [Fact]
    public void Accepted_values_are_those_of_the_enum_with_its_comments()
        => Assert.Equal(
            [("Blue", "Like the sky."), ("Green", "Like grass.")],
            SampleHelp.Parameter("Color").AcceptedValues.Select(value => (value.Name, PlainText.Line(value.Description))));

    [Fact]
    public void Accepted_values_are_those_of_the_set()
        => Assert.Equal(["x", "y"], SampleHelp.Parameter("Word").AcceptedValues.Select(value => value.Name));

    [Fact]
    public void A_range_is_known() => Assert.Equal("1 to 64", SampleHelp.Parameter("Threads").AcceptedRange);

    [Fact]
    public void Facts_of_binding_are_the_engines()
    {
        ParameterHelp path = SampleHelp.Parameter("Path");
        Assert.Equal(new ParameterBinding(IsRequired: true, Position: 0, ByValue: true, ByPropertyName: true), path.Binding);
        Assert.True(path.SupportsWildcards);
        ParameterHelp literal = SampleHelp.Parameter("LiteralPath");
        Assert.Equal(new ParameterBinding(IsRequired: true, Position: null, ByValue: false, ByPropertyName: true), literal.Binding);
        Assert.Equal(["PSPath", "LP"], literal.Aliases);
        Assert.False(literal.SupportsWildcards);
        Assert.False(SampleHelp.Parameter("Color").Binding.IsRequired);
    }

    [Fact]
    public void The_default_set_comes_first()
        => Assert.Equal([("Path", true), ("LiteralPath", false)], SampleHelp.Set.Syntax.Select(set => (set.SetName, set.IsDefault)));

    [Fact]
    public void A_syntax_line_has_positions_first_and_switches_last()
        => Assert.Equal(
            "Set-HelpSample [-Path] <string[]> [[-Color] {Blue | Green}] [-Word {x | y}] [-Threads <int>] [-Size <int>] "
                + "[-Folder <string>] [-Inherited <string>] [-Force] [-WhatIf] [-Confirm] [<CommonParameters>]",
            SyntaxText.Write("Set-HelpSample", SampleHelp.Set.Syntax[0]).Replace("\n   ", "", StringComparison.Ordinal));

    [Fact]
    public void Inputs_say_what_binds_where()
        => Assert.Equal(
            [("System.String", "Binds to -Path by value or by property name, to -LiteralPath by property name.")],
            SampleHelp.Set.Inputs.Select(type => (type.Name, PlainText.Line(type.Description))));

    [Fact]
    public void Outputs_say_what_the_type_is()
        => Assert.Equal(
            [("Qcow2.PowerShell.Tests.Help.Samples.SampleItem", "A thing that samples emit."), ("System.Boolean", "")],
            SampleHelp.Set.Outputs.Select(type => (type.Name, PlainText.Line(type.Description))));

    [Fact]
    public void Examples_have_title_code_and_remarks()
    {
        Assert.Equal(2, SampleHelp.Set.Examples.Count);
        ExampleHelp first = SampleHelp.Set.Examples[0];
        Assert.Equal("Paint it", PlainText.Line(first.Title));
        Assert.Equal("Set-HelpSample a.txt |\n    Out-Null", first.Code);
        Assert.Equal(["Paints.", "Twice."], PlainText.Paragraphs(first.Remarks));
        Assert.True(SampleHelp.Set.Examples[1].Title.IsEmpty);
        Assert.True(SampleHelp.Set.Examples[1].Remarks.IsEmpty);
    }

    [Fact]
    public void Text_reads_well_without_markup()
        => Assert.Equal(
            [
                "See Get-HelpSample with -Count, or SampleItem, Green, null, a page (https://example.org).",
                "A list & a * star:",
                "- one",
                "- two: with code",
                "1. first",
                "2. second",
            ],
            PlainText.Paragraphs(SampleHelp.Set.Description));
}

using Qcow2.HelpGenerator;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.PowerShell.Tests.Help;

/// <summary>What Get-Help reads from the files that the generator makes.</summary>
public sealed class GetHelpTests
{
    [Fact]
    public void Every_cmdlet_of_the_module_has_all_of_its_help()
    {
        using HelpSession session = HelpSession.OfModule();
        foreach (CommandHelp command in ModuleHelp.Read())
        {
            // Where Get-Help finds no file, its synopsis is the syntax.
            Assert.DoesNotContain("-", session.Help(command.Name, "$help.Synopsis").Single().Split(' ')[0], StringComparison.Ordinal);
            Assert.All(session.Help(command.Name, "$help.description.Text"), Assert.NotEmpty);
            Assert.NotEmpty(session.Help(command.Name, "$help.examples.example.code"));
            Assert.Equal(command.Parameters.Select(p => p.Name), session.Help(command.Name, "$help.parameters.parameter.name"));
            Assert.All(
                session.Help(command.Name, "$help.parameters.parameter | ForEach-Object { -join $_.description.Text }"), Assert.NotEmpty);
        }
    }

    [Theory]
    [InlineData("$help.Synopsis", "Sets samples.")]
    [InlineData("$help.description[1].Text", "A list & a * star:")]
    [InlineData("$help.description.Text[-1]", "2. second")]
    [InlineData("$help.relatedLinks.navigationLink.linkText", "Get-HelpSample", "More")]
    [InlineData("$help.relatedLinks.navigationLink[1].uri", "https://example.org/more")]
    [InlineData("$help.alertSet.alert.Text.Trim()", "Aliases: shs")]
    [InlineData("$help.inputTypes.inputType.type.name", "System.String")]
    [InlineData("$help.returnValues.returnValue.type.name", "Qcow2.PowerShell.Tests.Help.Samples.SampleItem", "System.Boolean")]
    public void Help_on_a_command_is_read(string script, params string[] expected)
    {
        using HelpSession session = HelpSession.OfSamples();
        Assert.Equal(expected, session.Help("Set-HelpSample", script));
    }

    [Theory]
    [InlineData("title", "---------- Example 1: Paint it ----------")]
    [InlineData("introduction.Text", "PS>")]
    [InlineData("code", "Set-HelpSample a.txt |\n    Out-Null")]
    [InlineData("remarks.Text", "Paints.", "Twice.", "")]
    public void An_example_is_read(string property, params string[] expected)
    {
        using HelpSession session = HelpSession.OfSamples();
        Assert.Equal(expected, session.Help("Set-HelpSample", $"$help.examples.example[0].{property}"));
    }

    [Theory]
    [InlineData("Path", "description.Text", "The files.")]
    [InlineData("Path", "required", "true")]
    [InlineData("Path", "position", "0")]
    [InlineData("Path", "pipelineInput", "true (ByValue, ByPropertyName)")]
    [InlineData("Path", "globbing", "true")]
    [InlineData("Path", "parameterValue", "string[]")]
    [InlineData("LiteralPath", "position", "named")]
    [InlineData("LiteralPath", "aliases", "PSPath, LP")]
    [InlineData("Color", "required", "false")]
    [InlineData("Color", "defaultValue", "Green")]
    [InlineData("Color", "possibleValues.possibleValue.value", "Blue", "Green")]
    [InlineData("Color", "possibleValues.possibleValue[0].description.Text", "Like the sky.")]
    [InlineData("Force", "parameterValue", "SwitchParameter")]
    [InlineData("WhatIf", "aliases", "wi")]
    public void Help_on_a_parameter_is_read(string name, string property, params string[] expected)
    {
        using HelpSession session = HelpSession.OfSamples();
        Assert.Equal(expected, session.Help("Set-HelpSample", $"($help.parameters.parameter | Where-Object name -eq '{name}').{property}"));
    }

    [Fact]
    public void There_is_a_syntax_line_for_each_parameter_set()
    {
        using HelpSession session = HelpSession.OfSamples();
        Assert.Equal(
            [
                "Path Color Word Threads Size Folder Inherited Force WhatIf Confirm",
                "Color LiteralPath Word Threads Size Folder Inherited Force WhatIf Confirm",
            ],
            session.Help("Set-HelpSample", "$help.syntax.syntaxItem | ForEach-Object { $_.parameter.name -join ' ' }"));
    }

    [Fact]
    public void Help_is_found_by_alias()
    {
        using HelpSession session = HelpSession.OfSamples();
        Assert.Equal(["Sets samples."], session.Help("shs", "$help.Synopsis"));
    }
}

using System.Management.Automation;
using System.Management.Automation.Language;
using System.Text.RegularExpressions;

namespace Qcow2.PowerShell.Tests.Infrastructure;

/// <summary>The pages that say what to type in place of other tools' commands: every command on them can be typed.</summary>
public sealed class CommandPagesTests(ModuleSession session) : IClassFixture<ModuleSession>
{
    [Theory]
    [InlineData("from-qemu-img.md", 60)]
    [InlineData("from-hyper-v.md", 20)]
    public void Commands_and_their_parameters_are_there(string page, int atLeast)
    {
        string text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "docs", page));
        CommandAst[] commands =
        [
            .. Regex.Matches(text, "`([^`]*-Qcow2[A-Z][^`]*)`").Select(match => match.Groups[1].Value.Replace("\\|", "|", StringComparison.Ordinal)).Where(code => !code.StartsWith('…'))
                .Select(code => Parser.ParseInput(code, out _, out ParseError[] errors) is var ast && errors.Length == 0 ? ast : throw new InvalidOperationException(code))
                .SelectMany(ast => ast.FindAll(node => node is CommandAst command && command.GetCommandName()?.Contains("-Qcow2", StringComparison.Ordinal) == true, true)).Cast<CommandAst>(),
        ];
        Assert.InRange(commands.Length, atLeast, 500);
        foreach (CommandAst command in commands)
        {
            CommandInfo info = Assert.IsAssignableFrom<CommandInfo>(Assert.Single(session.Run($"Get-Command {command.GetCommandName()}").Output).BaseObject);
            Assert.All(command.CommandElements.OfType<CommandParameterAst>(), parameter => Assert.True(
                info.Parameters.Values.Any(known => known.Name == parameter.ParameterName || known.Aliases.Contains(parameter.ParameterName)), command.Extent.Text));
        }
    }
}

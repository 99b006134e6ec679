using System.Management.Automation;
using System.Management.Automation.Language;
using System.Text.RegularExpressions;
using Qcow2.Tests;

namespace Qcow2.PowerShell.Tests.Infrastructure;

/// <summary>The pages that say what to type in place of other tools' commands: every command on them can be typed.</summary>
public sealed partial class CommandPagesTests(ModuleSession session) : IClassFixture<ModuleSession>
{
    /// <summary>Each option of each command of qemu-img has its row, or one for all commands, where what is not there is explained.</summary>
    [QemuFact]
    public void Every_option_of_qemu_img_is_on_the_page()
    {
        string[] everywhere = Rows("## Everywhere").SelectMany(Codes).ToArray();
        ILookup<string, string> codes = Rows("# From qemu-img").Where(row => Codes(row).Any())
            .SelectMany(row => Codes(row).Select(code => (Command: Codes(row).First().Split(' ')[0], Code: code))).ToLookup(row => row.Command, row => row.Code);
        string[] usage = [.. QemuImg.Run("--help").Split('\n').SkipWhile(line => line != "Command syntax:").Skip(1).TakeWhile(line => line.StartsWith("  ", StringComparison.Ordinal))];
        var missing = new List<string>();
        foreach (string line in usage)
        {
            string command = line.Trim().Split(' ')[0];
            IEnumerable<string> options = OptionWord().Matches(line).Select(match => match.Groups[1].Value).Distinct();
            missing.AddRange(options.Where(option => !(codes[command].Concat(everywhere).Any(code => Has(code, option)) || codes[command].Contains(command + " "))).Select(option => $"{command} {option}"));
        }

        Assert.True(missing.Count == 0, string.Join("\n", missing));
    }

    [QemuFact]
    public void Every_option_of_a_new_qcow2_image_is_on_the_page()
    {
        string[] known = [.. Rows("## Options of a qcow2 image").SelectMany(Codes).SelectMany(code => code.Split(',')).Select(code => code.Split('=')[0])];
        string[] names = [.. CreateOption().Matches(QemuImg.Run("create", "-f", "qcow2", "-o", "help")).Select(match => match.Groups[1].Value)];
        Assert.InRange(names.Length, 15, 60);
        Assert.All(names, name => Assert.Contains(known, code => code == name || (name.StartsWith("encrypt.", StringComparison.Ordinal) && code.Length > 4 && name.EndsWith(code, StringComparison.Ordinal))));
    }

    [Theory]
    [InlineData("from-qemu-img.md", 60)]
    [InlineData("from-hyper-v.md", 20)]
    public void Commands_and_their_parameters_are_there(string page, int atLeast)
    {
        string text = Page(page);
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

    private static string Page(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "docs", name));

    /// <summary>The left cells of the table under a heading.</summary>
    private static IEnumerable<string> Rows(string heading)
        => Page("from-qemu-img.md").Split('\n').SkipWhile(line => !line.StartsWith(heading, StringComparison.Ordinal)).Skip(1).TakeWhile(line => !line.StartsWith('#'))
            .Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Select(line => line[2..line.IndexOf(" | ", StringComparison.Ordinal)]);

    /// <summary>What is typed. A command alone, as the whole of a cell, stands for all its options.</summary>
    private static IEnumerable<string> Codes(string cell)
        => CodeSpan().Matches(cell) is { Count: 1 } only && only[0].Value == cell && !cell.Contains(' ') ? [only[0].Groups[1].Value + " "] : CodeSpan().Matches(cell).Select(match => match.Groups[1].Value);

    private static bool Has(string code, string option) => Regex.IsMatch(code, $"(^| ){Regex.Escape(option)}($|[ =])", RegexOptions.CultureInvariant);

    [GeneratedRegex("`([^`]*)`")]
    private static partial Regex CodeSpan();

    [GeneratedRegex(@"(?<![\w-])(--?[A-Za-z][A-Za-z-]*)")]
    private static partial Regex OptionWord();

    [GeneratedRegex(@"^  ([\w.-]+)=<", RegexOptions.Multiline)]
    private static partial Regex CreateOption();
}

using Qcow2.HelpGenerator;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.PowerShell.Tests.Help;

/// <summary>The help of the module's own cmdlets, as it is committed.</summary>
public sealed class ModuleHelpTests
{
    private const string Remedy = "Run: dotnet run --project tools/Qcow2.HelpGenerator";
    private static readonly IReadOnlyList<CommandHelp> Commands = ModuleHelp.Read();
    private static readonly string Root = ModuleHelp.FindRoot(AppContext.BaseDirectory);

    [Fact]
    public void Nothing_lacks_help() => Assert.Empty(HelpProblems.Find(Commands));

    [Fact]
    public void Committed_files_are_what_the_generator_makes()
    {
        string differences = string.Join('\n', HelpFiles.Differences(Root, HelpFiles.Make(Commands)));
        Assert.True(differences.Length == 0, $"{differences}\n{Remedy}");
    }

    [Fact]
    public void The_index_lists_every_cmdlet()
    {
        string index = File.ReadAllText(Path.Combine(Root, HelpFiles.MarkdownFolder, "README.md"));
        Assert.NotEmpty(Commands);
        Assert.All(Commands, command => Assert.Contains($"[{command.Name}]({command.Name}.md)", index, StringComparison.Ordinal));
    }

    [Fact]
    public void Links_of_pages_lead_to_pages()
    {
        IEnumerable<string> linked = Commands.SelectMany(command => command.Links.OfType<CommandInline>()).Select(link => link.Text);
        Assert.Empty(linked.Except(Commands.Select(command => command.Name)));
    }
}

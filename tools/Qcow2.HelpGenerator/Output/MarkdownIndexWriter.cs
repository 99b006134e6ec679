using System.Text;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator.Output;

/// <summary>Writes the page that lists the cmdlets.</summary>
public static class MarkdownIndexWriter
{
    /// <summary>What a page that was made starts with.</summary>
    internal const string Origin = "<!-- Made by tools/Qcow2.HelpGenerator from the comments in the source. Do not edit. -->";

    /// <summary>The page.</summary>
    /// <param name="commands">Help on the cmdlets.</param>
    public static string Write(IReadOnlyList<CommandHelp> commands)
    {
        ArgumentNullException.ThrowIfNull(commands);
        var page = new StringBuilder();
        page.Append(Origin).Append("\n\n# Cmdlets\n\n");
        page.Append("The same as `Get-Help <name> -Full` shows.\n\n");
        page.Append("| Cmdlet | What it does |\n| --- | --- |\n");
        foreach (CommandHelp command in commands)
        {
            page.Append("| ").Append(MarkdownText.Inline(new CommandInline(command.Name)));
            page.Append(" | ").Append(MarkdownText.Line(command.Synopsis)).Append(" |\n");
        }

        return page.ToString();
    }
}

using System.Globalization;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator.Output;

/// <summary>Writes help on a cmdlet as a page of Markdown.</summary>
public static class MarkdownWriter
{
    /// <summary>The page.</summary>
    /// <param name="command">Help on the cmdlet.</param>
    public static string Write(CommandHelp command)
    {
        ArgumentNullException.ThrowIfNull(command);
        return string.Join("\n\n", Blocks(command).Where(block => block.Length > 0)) + "\n";
    }

    private static IEnumerable<string> Blocks(CommandHelp command) =>
    [
        MarkdownIndexWriter.Origin,
        $"# {command.Name}",
        "## Synopsis",
        MarkdownText.Blocks(command.Synopsis),
        .. command.Aliases.Count > 0 ? [$"Aliases: {Codes(command.Aliases)}"] : Array.Empty<string>(),
        "## Syntax",
        .. command.Syntax.SelectMany(set => Syntax(command, set)),
        "## Description",
        MarkdownText.Blocks(command.Description),
        "## Examples",
        .. command.Examples.SelectMany(Example),
        "## Parameters",
        .. command.Parameters.SelectMany(parameter => MarkdownParameter.Blocks(command, parameter)),
        "### CommonParameters",
        "This cmdlet has the parameters that all cmdlets have: `-Debug`, `-ErrorAction`, `-ErrorVariable`, `-InformationAction`, "
            + "`-InformationVariable`, `-OutBuffer`, `-OutVariable`, `-PipelineVariable`, `-ProgressAction`, `-Verbose`, `-WarningAction`, "
            + "`-WarningVariable`. See [about_CommonParameters](https://go.microsoft.com/fwlink/?LinkID=113216).",
        "## Inputs",
        .. Types(command.Inputs),
        "## Outputs",
        .. Types(command.Outputs),
        .. command.Links.Count > 0 ? ["## Related links", Links(command.Links)] : Array.Empty<string>(),
    ];

    private static IEnumerable<string> Syntax(CommandHelp command, SyntaxHelp set)
    {
        if (set.SetName != SyntaxHelp.OnlySet)
        {
            yield return $"### {set.SetName}{(set.IsDefault ? " (default)" : "")}";
        }

        yield return MarkdownText.Fence(SyntaxText.Write(command.Name, set), "text");
    }

    private static IEnumerable<string> Example(ExampleHelp example, int index)
    {
        string number = (index + 1).ToString(CultureInfo.InvariantCulture);
        yield return example.Title.IsEmpty ? $"### Example {number}" : $"### Example {number}: {MarkdownText.Line(example.Title)}";
        yield return MarkdownText.Fence(example.Code, "powershell");
        yield return MarkdownText.Blocks(example.Remarks);
    }

    private static IEnumerable<string> Types(IReadOnlyList<TypeHelp> types)
        => types.Count == 0 ? ["None"] : types.SelectMany(type => new[] { $"### {type.Name}", MarkdownText.Blocks(type.Description) });

    private static string Links(IReadOnlyList<HelpInline> links) => string.Join('\n', links.Select(link => "- " + MarkdownText.Inline(link)));

    private static string Codes(IEnumerable<string> names) => string.Join(", ", names.Select(MarkdownText.Code));
}

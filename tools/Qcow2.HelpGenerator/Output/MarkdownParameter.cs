using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator.Output;

/// <summary>Writes a parameter as Markdown: what it is for, then a table of facts.</summary>
internal static class MarkdownParameter
{
    internal static IEnumerable<string> Blocks(CommandHelp command, ParameterHelp parameter) =>
    [
        $"### -{parameter.Name}",
        MarkdownText.Blocks(parameter.Description),
        string.Join('\n', parameter.AcceptedValues.Where(value => !value.Description.IsEmpty)
            .Select(value => $"- {MarkdownText.Code(value.Name)}: {MarkdownText.Line(value.Description)}")),
        string.Join('\n', Rows(command, parameter).Select(row => $"| {row.Name} | {row.Value} |").Prepend("| --- | --- |").Prepend("| | |")),
    ];

    private static IEnumerable<(string Name, string Value)> Rows(CommandHelp command, ParameterHelp parameter) =>
    [
        ("Type", MarkdownText.Code(parameter.TypeName)),
        .. Row("Aliases", parameter.Aliases),
        .. Row("Accepted values", parameter.AcceptedValues.Select(value => value.Name)),
        .. parameter.AcceptedRange is { } range ? Row("Accepted range", [range]) : [],
        .. parameter.Bindings.Count < command.Syntax.Count ? Row("Parameter sets", parameter.Bindings.Select(b => b.SetName)) : [],
        ("Required", PerSet(parameter, binding => binding.IsRequired ? "yes" : "no")),
        ("Position", PerSet(parameter, binding => binding.PositionText)),
        ("Default", Default(parameter.DefaultValue)),
        ("Pipeline input", PerSet(parameter, Pipeline)),
        ("Wildcards", parameter.SupportsWildcards ? "yes" : "no"),
    ];

    private static IEnumerable<(string, string)> Row(string name, IEnumerable<string> values)
    {
        string codes = string.Join(", ", values.Select(MarkdownText.Code));
        return codes.Length > 0 ? [(name, codes)] : [];
    }

    private static string PerSet(ParameterHelp parameter, Func<ParameterBinding, string> fact)
    {
        var groups = parameter.Bindings.GroupBy(b => fact(b.Binding), b => b.SetName, StringComparer.Ordinal).ToList();
        return groups.Count == 1 ? groups[0].Key : string.Join("; ", groups.Select(g => $"{g.Key} ({string.Join(", ", g)})"));
    }

    /// <summary>A value is code; several words are a description of one.</summary>
    private static string Default(string value) => value switch
    {
        "None" => "none",
        _ when value.Contains(' ', StringComparison.Ordinal) => MarkdownText.Escape(value),
        _ => MarkdownText.Code(value),
    };

    private static string Pipeline(ParameterBinding binding) => (binding.ByValue, binding.ByPropertyName) switch
    {
        (true, true) => "by value, by property name",
        (true, false) => "by value",
        (false, true) => "by property name",
        _ => "no",
    };
}

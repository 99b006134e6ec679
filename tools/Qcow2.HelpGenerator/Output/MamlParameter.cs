using System.Xml.Linq;
using Qcow2.HelpGenerator.Model;
using static Qcow2.HelpGenerator.Output.MamlNames;

namespace Qcow2.HelpGenerator.Output;

/// <summary>Writes a parameter.</summary>
internal static class MamlParameter
{
    /// <summary>A parameter as a whole.</summary>
    internal static XElement Write(ParameterHelp parameter) => new(
        Command + "parameter",
        new XAttribute("required", Text(parameter.Binding.IsRequired)),
        new XAttribute("variableLength", Text(parameter.IsArray)),
        new XAttribute("globbing", Text(parameter.SupportsWildcards)),
        new XAttribute("pipelineInput", parameter.Binding.PipelineText),
        new XAttribute("position", parameter.Binding.PositionText),
        new XAttribute("aliases", parameter.Aliases.Count > 0 ? string.Join(", ", parameter.Aliases) : "none"),
        new XElement(Maml + "name", parameter.Name),
        MamlWriter.Description(parameter.Description),
        parameter.AcceptedValues.Count > 0 ? Values(parameter) : null,
        Value(parameter),
        new XElement(Dev + "type", new XElement(Maml + "name", parameter.TypeName), new XElement(Maml + "uri")),
        new XElement(Dev + "defaultValue", parameter.DefaultValue),
        parameter.AcceptedValues.Count > 0 ? PossibleValues(parameter) : null);

    /// <summary>
    /// A parameter in a line of the syntax, with what Get-Help shows there and no more: each set has all of them again. A switch has no value, and a closed
    /// set of values is shown in place of the type.
    /// </summary>
    internal static XElement WriteSyntax(ParameterHelp parameter, ParameterBinding binding) => new(
        Command + "parameter",
        new XAttribute("required", Text(binding.IsRequired)),
        new XAttribute("position", binding.PositionText),
        new XElement(Maml + "name", parameter.Name),
        parameter.AcceptedValues.Count > 0 ? Values(parameter) : parameter.IsSwitch ? null : Value(parameter));

    private static XElement Value(ParameterHelp parameter) => new(
        Command + "parameterValue",
        new XAttribute("required", Text(!parameter.IsSwitch)),
        new XAttribute("variableLength", Text(parameter.IsArray)),
        parameter.TypeName);

    private static XElement Values(ParameterHelp parameter) => new(
        Command + "parameterValueGroup",
        parameter.AcceptedValues.Select(value => new XElement(
            Command + "parameterValue",
            new XAttribute("required", "false"),
            new XAttribute("variableLength", "false"),
            value.Name)));

    /// <summary>What Get-Help shows between the description and the facts.</summary>
    private static XElement PossibleValues(ParameterHelp parameter) => new(
        Dev + "possibleValues",
        parameter.AcceptedValues.Select(value => new XElement(
            Dev + "possibleValue",
            new XElement(Dev + "value", value.Name),
            value.Description.IsEmpty ? null : MamlWriter.Description(value.Description))));

    private static string Text(bool value) => value ? "true" : "false";
}

using System.Management.Automation;
using System.Reflection;
using System.Xml.Linq;
using Qcow2.HelpGenerator.Documentation;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator.Metadata;

/// <summary>Puts together what the engine and what the comments say of a parameter.</summary>
/// <param name="docs">Finds comments.</param>
/// <param name="parser">Reads them.</param>
public sealed class ParameterHelpBuilder(XmlDocReader docs, DocTextParser parser)
{
    private readonly AcceptedValuesBuilder _values = new(docs, parser);

    /// <summary>Help on each parameter of a cmdlet, by name; WhatIf and Confirm come last.</summary>
    /// <param name="command">The cmdlet.</param>
    public IReadOnlyList<ParameterHelp> Build(CmdletInfo command)
    {
        object cmdlet = Activator.CreateInstance(command.ImplementingType)!;
        using var disposable = cmdlet as IDisposable;
        return
        [
            .. ParameterSets.Ordered(command)
                .SelectMany(set => ParameterSets.Shown(set).Select(parameter => (set.Name, Parameter: parameter)))
                .GroupBy(p => p.Parameter.Name, StringComparer.Ordinal)
                .OrderBy(group => StandardParameters.IsOfShouldProcess(group.Key))
                .ThenBy(group => group.Key, StringComparer.OrdinalIgnoreCase)
                .Select(group => Build(command.ImplementingType, cmdlet, [.. group])),
        ];
    }

    private ParameterHelp Build(Type type, object cmdlet, IReadOnlyList<(string Set, CommandParameterInfo Parameter)> members)
    {
        CommandParameterInfo parameter = members[0].Parameter;
        PropertyInfo? property = StandardParameters.IsOfShouldProcess(parameter.Name) ? null : type.GetProperty(parameter.Name);
        XElement? comment = property is null ? null : docs.Find(property);
        return new ParameterHelp
        {
            Name = parameter.Name,
            Description = property is null ? StandardParameters.Describe(parameter.Name) : Describe(comment),
            TypeName = TypeNames.Display(parameter.ParameterType),
            IsSwitch = parameter.ParameterType == typeof(SwitchParameter),
            IsArray = parameter.ParameterType.IsArray,
            SupportsWildcards = parameter.Attributes.OfType<SupportsWildcardsAttribute>().Any(),
            Aliases = [.. parameter.Aliases],
            AcceptedValues = _values.Build(parameter),
            AcceptedRange = AcceptedValuesBuilder.RangeOf(parameter),
            DefaultValue = property is null ? bool.FalseString : DefaultValues.Of(property, comment, cmdlet),
            Bindings = [.. members.Select(member => (member.Set, ParameterSets.Binding(member.Parameter)))],
        };
    }

    private HelpText Describe(XElement? comment)
        => new([.. parser.Parse(comment?.Element("summary")).Blocks, .. parser.Parse(comment?.Element("remarks")).Blocks]);
}

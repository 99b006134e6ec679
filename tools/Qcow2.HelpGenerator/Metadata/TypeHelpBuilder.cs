using System.Management.Automation;
using System.Reflection;
using Qcow2.HelpGenerator.Documentation;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator.Metadata;

/// <summary>Says what a cmdlet takes from the pipeline and what it emits.</summary>
/// <param name="docs">Finds the comments on the types.</param>
/// <param name="parser">Reads them.</param>
public sealed class TypeHelpBuilder(XmlDocReader docs, DocTextParser parser)
{
    /// <summary>The types that can be piped to a cmdlet, and to which parameters they bind.</summary>
    /// <param name="command">The cmdlet.</param>
    /// <param name="parameters">Its parameters.</param>
    public IReadOnlyList<TypeHelp> Inputs(CmdletInfo command, IReadOnlyList<ParameterHelp> parameters)
        => [.. parameters
            .Where(p => p.Binding.ByValue || p.Binding.ByPropertyName)
            .GroupBy(p => TypeNames.Element(command.Parameters[p.Name].ParameterType))
            .OrderBy(group => group.All(p => !p.Binding.ByValue))
            .ThenBy(group => group.Key.FullName, StringComparer.Ordinal)
            .Select(group => new TypeHelp(group.Key.FullName!, new HelpText([.. Summary(group.Key), Binds([.. group])])))];

    /// <summary>The types that a cmdlet emits.</summary>
    /// <param name="command">The cmdlet.</param>
    public IReadOnlyList<TypeHelp> Outputs(CmdletInfo command)
        => [.. command.ImplementingType.GetCustomAttributes<OutputTypeAttribute>()
            .SelectMany(attribute => attribute.Type)
            .DistinctBy(type => type.Name, StringComparer.Ordinal)
            .Where(type => type.Type != typeof(void))
            .OrderBy(type => type.Name, StringComparer.Ordinal)
            .Select(type => new TypeHelp(type.Name, new HelpText([.. type.Type is { } known ? Summary(TypeNames.Element(known)) : []])))];

    private IReadOnlyList<HelpBlock> Summary(Type type) => parser.Parse(docs.Find(type)?.Element("summary")).Blocks;

    private static ParagraphBlock Binds(IReadOnlyList<ParameterHelp> parameters)
    {
        var line = new List<HelpInline>();
        foreach (ParameterHelp parameter in parameters.OrderByDescending(p => p.Binding.ByValue))
        {
            line.Add(new TextInline(line.Count == 0 ? "Binds to " : ", to "));
            line.Add(new CodeInline("-" + parameter.Name));
            line.Add(new TextInline(parameter.Binding switch
            {
                { ByValue: true, ByPropertyName: true } => " by value or by property name",
                { ByValue: true } => " by value",
                _ => " by property name",
            }));
        }

        line.Add(new TextInline("."));
        return new ParagraphBlock(line);
    }
}

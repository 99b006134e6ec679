using System.Management.Automation;
using System.Reflection;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator.Metadata;

/// <summary>The parameter sets of a cmdlet, in an order that depends on the source alone.</summary>
public static class ParameterSets
{
    /// <summary>The sets, the default first.</summary>
    /// <param name="command">The cmdlet.</param>
    public static IEnumerable<CommandParameterSetInfo> Ordered(CmdletInfo command)
        => command.ParameterSets.OrderByDescending(set => set.IsDefault).ThenBy(set => FirstDeclared(command, set)).ThenBy(set => set.Name, StringComparer.Ordinal);

    /// <summary>The parameters of a set that help shows: neither common nor hidden.</summary>
    /// <param name="set">The set.</param>
    public static IEnumerable<CommandParameterInfo> Shown(CommandParameterSetInfo set)
        => set.Parameters.Where(p => !StandardParameters.IsCommon(p.Name) && !p.Attributes.OfType<ParameterAttribute>().All(a => a.DontShow));

    /// <summary>
    /// The parameters of a set in the order in which to write them: by position, then what must be named, then the others,
    /// then switches; among equals those of the cmdlet itself before inherited ones, as declared.
    /// </summary>
    /// <param name="command">The cmdlet.</param>
    /// <param name="set">The set.</param>
    public static IEnumerable<CommandParameterInfo> ForSyntax(CmdletInfo command, CommandParameterSetInfo set)
        => Shown(set)
            .OrderBy(p => Binding(p).Position ?? int.MaxValue)
            .ThenByDescending(p => p.IsMandatory)
            .ThenBy(p => StandardParameters.IsOfShouldProcess(p.Name))
            .ThenBy(p => p.ParameterType == typeof(SwitchParameter))
            .ThenBy(p => Declared(command, p))
            .ThenByDescending(p => p.Name, StringComparer.Ordinal);

    /// <summary>How a set binds a parameter.</summary>
    /// <param name="parameter">The parameter as the set has it.</param>
    public static ParameterBinding Binding(CommandParameterInfo parameter) => new(
        parameter.IsMandatory,
        parameter.Position == int.MinValue ? null : parameter.Position,
        parameter.ValueFromPipeline,
        parameter.ValueFromPipelineByPropertyName);

    private static (int Depth, int Token) FirstDeclared(CmdletInfo command, CommandParameterSetInfo set)
        => Shown(set).Where(p => command.ParameterSets.Count(other => other.Parameters.Any(o => o.Name == p.Name)) == 1)
            .Select(p => Declared(command, p)).DefaultIfEmpty((int.MaxValue, 0)).Min();

    private static (int Depth, int Token) Declared(CmdletInfo command, CommandParameterInfo parameter)
    {
        if (command.ImplementingType.GetProperty(parameter.Name) is not { } property)
        {
            return (int.MaxValue, 0);
        }

        int depth = 0;
        for (Type? type = command.ImplementingType; type != property.DeclaringType; type = type?.BaseType)
        {
            depth++;
        }

        return (depth, property.MetadataToken);
    }
}

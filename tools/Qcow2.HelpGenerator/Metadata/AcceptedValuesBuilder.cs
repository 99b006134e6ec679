using System.Globalization;
using System.Management.Automation;
using Qcow2.HelpGenerator.Documentation;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator.Metadata;

/// <summary>Finds the values that a parameter takes, where the engine enforces that.</summary>
/// <param name="docs">Finds comments.</param>
/// <param name="parser">Reads them.</param>
public sealed class AcceptedValuesBuilder(XmlDocReader docs, DocTextParser parser)
{
    /// <summary>The members of a closed set: those of <see cref="ValidateSetAttribute"/> or of an enum. Otherwise none.</summary>
    /// <param name="parameter">The parameter.</param>
    public IReadOnlyList<AcceptedValue> Build(CommandParameterInfo parameter)
    {
        Type type = TypeNames.Element(parameter.ParameterType);
        IEnumerable<string> names = parameter.Attributes.OfType<ValidateSetAttribute>().FirstOrDefault() is { } set
            ? set.ValidValues
            : type.IsEnum ? Enum.GetNames(type) : [];
        return [.. names.Select(name => new AcceptedValue(name, Describe(type, name)))];
    }

    /// <summary>The bounds of <see cref="ValidateRangeAttribute"/>; null if there are none, or none that are numbers.</summary>
    /// <param name="parameter">The parameter.</param>
    public static string? RangeOf(CommandParameterInfo parameter)
        => parameter.Attributes.OfType<ValidateRangeAttribute>().FirstOrDefault() is { MinRange: not null } range
            ? string.Create(CultureInfo.InvariantCulture, $"{range.MinRange} to {range.MaxRange}")
            : null;

    private HelpText Describe(Type type, string name) => type.IsEnum ? parser.Parse(docs.Find(type, name)?.Element("summary")) : HelpText.Empty;
}

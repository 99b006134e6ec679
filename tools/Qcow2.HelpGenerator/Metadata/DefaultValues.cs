using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Reflection;
using System.Xml.Linq;

namespace Qcow2.HelpGenerator.Metadata;

/// <summary>
/// The value of a parameter that is not given: what its <c>value</c> element or <see cref="PSDefaultValueAttribute"/> says,
/// otherwise what the property of a new cmdlet holds.
/// </summary>
public static class DefaultValues
{
    private const string None = "None";

    /// <summary>The default as help shows it.</summary>
    /// <param name="property">The parameter's property.</param>
    /// <param name="comment">Its comment; null for none.</param>
    /// <param name="cmdlet">A new cmdlet.</param>
    public static string Of(PropertyInfo property, XElement? comment, object cmdlet)
    {
        if (comment?.Element("value")?.Value.Trim() is { Length: > 0 } said)
        {
            return said;
        }

        if (property.GetCustomAttribute<PSDefaultValueAttribute>() is { } attribute)
        {
            return attribute.Help ?? Text(attribute.Value);
        }

        return Text(property.CanRead ? property.GetValue(cmdlet) : null);
    }

    private static string Text(object? value) => value switch
    {
        null or "" => None,
        string text => text,
        SwitchParameter s => s.IsPresent.ToString(),
        IEnumerable many => string.Join(", ", many.Cast<object>()) is { Length: > 0 } text ? text : None,
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? None,
    };
}

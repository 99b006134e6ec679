using System.Reflection;

namespace Qcow2.HelpGenerator.Documentation;

/// <summary>The ids that the compiler gives to members in documentation files: a letter for the kind, then the full name.</summary>
public static class MemberId
{
    /// <summary>The id of a type.</summary>
    /// <param name="type">The type.</param>
    public static string Of(Type type) => "T:" + FullName(type);

    /// <summary>The id of a property without index.</summary>
    /// <param name="property">The property.</param>
    public static string Of(PropertyInfo property) => "P:" + FullName(property.DeclaringType!) + "." + property.Name;

    /// <summary>The id of a member of an enum.</summary>
    /// <param name="type">The enum.</param>
    /// <param name="value">The member's name.</param>
    public static string Of(Type type, string value) => "F:" + FullName(type) + "." + value;

    private static string FullName(Type type)
    {
        Type definition = type.IsGenericType ? type.GetGenericTypeDefinition() : type;
        return definition.FullName!.Replace('+', '.');
    }
}

namespace Qcow2.HelpGenerator.Metadata;

/// <summary>Names of types.</summary>
public static class TypeNames
{
    private static readonly Dictionary<Type, string> Accelerators = new()
    {
        [typeof(string)] = "string",
        [typeof(bool)] = "bool",
        [typeof(byte)] = "byte",
        [typeof(int)] = "int",
        [typeof(uint)] = "uint",
        [typeof(long)] = "long",
        [typeof(ulong)] = "ulong",
        [typeof(double)] = "double",
        [typeof(object)] = "object",
    };

    /// <summary>A type as users of PowerShell write it, without the possibility of null: <c>string[]</c>, <c>SecureString</c>.</summary>
    /// <param name="type">The type.</param>
    public static string Display(Type type)
    {
        Type known = WithoutNull(type);
        if (known.IsArray)
        {
            return Display(known.GetElementType()!) + "[]";
        }

        if (known.IsGenericType)
        {
            string name = known.Name[..known.Name.IndexOf('`', StringComparison.Ordinal)];
            return $"{name}[{string.Join(',', known.GetGenericArguments().Select(Display))}]";
        }

        return Accelerators.GetValueOrDefault(known, known.Name);
    }

    /// <summary>The type of a single value: no array, no null.</summary>
    /// <param name="type">The type.</param>
    public static Type Element(Type type)
    {
        Type known = WithoutNull(type);
        return known.IsArray ? Element(known.GetElementType()!) : known;
    }

    private static Type WithoutNull(Type type) => Nullable.GetUnderlyingType(type) ?? type;
}

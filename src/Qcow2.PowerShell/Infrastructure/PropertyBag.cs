using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Reflection;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>Fills an object of the engine from properties that serialisation or a table made of it. What does not fit stays at its default.</summary>
internal static class PropertyBag
{
    /// <summary>Makes an object.</summary>
    /// <param name="type">Its type, which has a constructor without parameters.</param>
    /// <param name="bag">Its properties.</param>
    internal static object Fill(Type type, PSObject bag)
    {
        object filled = Activator.CreateInstance(type)!;
        foreach (PropertyInfo property in type.GetProperties().Where(property => property.CanWrite && property.GetIndexParameters().Length == 0))
        {
            if (bag.Properties[property.Name]?.Value is object value && Convert(value, property.PropertyType) is object converted)
            {
                property.SetValue(filled, converted);
            }
        }

        return filled;
    }

    private static object? Convert(object value, Type type)
    {
        object plain = value is PSObject wrapped && wrapped.BaseObject is not PSCustomObject ? wrapped.BaseObject : value;
        if (type.IsInstanceOfType(plain))
        {
            return plain;
        }

        if (plain is string text && type != typeof(string))
        {
            return FromText(text, Nullable.GetUnderlyingType(type) ?? type);
        }

        if (type.IsArray && IsOurs(type.GetElementType()!))
        {
            return plain is IEnumerable many && plain is not string ? Many(many, type.GetElementType()!) : null;
        }

        if (IsOurs(type))
        {
            return plain is PSObject nested && (type.IsValueType || type.GetConstructor(Type.EmptyTypes) is not null) ? Fill(type, nested) : null;
        }

        return LanguagePrimitives.TryConvertTo(plain, type, CultureInfo.InvariantCulture, out object converted) ? converted : null;
    }

    /// <summary>Tables hold everything as text, in the culture of who wrote them.</summary>
    private static object? FromText(string text, Type type)
    {
        if (text.Length == 0)
        {
            return null;
        }

        if (type == typeof(bool))
        {
            return bool.TryParse(text, out bool flag) ? flag : null;
        }

        if (type == typeof(DateTime))
        {
            return DateTime.TryParse(text, CultureInfo.CurrentCulture, DateTimeStyles.None, out DateTime time)
                || DateTime.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out time) ? time : null;
        }

        return !type.IsArray && LanguagePrimitives.TryConvertTo(text, type, CultureInfo.InvariantCulture, out object converted) ? converted : null;
    }

    private static Array? Many(IEnumerable many, Type element)
    {
        object[] items = [.. many.Cast<object>().Select(item => Convert(item, element)).OfType<object>()];
        var array = Array.CreateInstance(element, items.Length);
        items.CopyTo(array, 0);
        return array;
    }

    private static bool IsOurs(Type type) => type.Assembly == typeof(Qcow2ImageObject).Assembly && !type.IsEnum && Nullable.GetUnderlyingType(type) is null;
}

using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Numerics;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Qcow2.Shell.Commands.Data;

/// <summary>Writes objects as JSON, by their properties, to a depth.</summary>
/// <param name="depth">Levels of objects inside objects; what lies deeper is written as text.</param>
/// <param name="indented">One value a line.</param>
/// <param name="enumNames">Names of enumeration values instead of their numbers.</param>
internal sealed class JsonText(int depth, bool indented, bool enumNames)
{
    private readonly JsonWriterOptions _options = new()
    {
        Indented = indented,
        NewLine = Environment.NewLine,
        MaxDepth = depth + 4,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Whether something lay deeper than the depth.</summary>
    internal bool WasCut { get; private set; }

    /// <summary><paramref name="value"/> as JSON.</summary>
    internal string Write(object? value)
    {
        using MemoryStream bytes = new();
        using (Utf8JsonWriter writer = new(bytes, _options))
        {
            Write(writer, value, 0);
        }

        return Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
    }

    private void Write(Utf8JsonWriter writer, object? value, int level)
    {
        PSObject? wrapped = value as PSObject;
        object? plain = wrapped is null ? value : wrapped.BaseObject;
        if (TryWriteScalar(writer, plain))
        {
            return;
        }

        if (level > depth)
        {
            WasCut = true;
            writer.WriteStringValue(LanguagePrimitives.ConvertTo<string>(value));
        }
        else if (plain is IDictionary table)
        {
            WriteMembers(writer, table.Cast<DictionaryEntry>().Select(e => (e.Key.ToString()!, e.Value)), level);
        }
        else if (plain is IEnumerable list)
        {
            WriteArray(writer, list, level);
        }
        else
        {
            WriteMembers(writer, (wrapped ?? PSObject.AsPSObject(plain!)).Properties.Select(p => (p.Name, ValueOf(p))), level);
        }
    }

    private void WriteMembers(Utf8JsonWriter writer, IEnumerable<(string Name, object? Value)> members, int level)
    {
        writer.WriteStartObject();
        foreach ((string name, object? value) in members)
        {
            writer.WritePropertyName(name);
            Write(writer, value, level + 1);
        }

        writer.WriteEndObject();
    }

    private void WriteArray(Utf8JsonWriter writer, IEnumerable list, int level)
    {
        writer.WriteStartArray();
        foreach (object? item in list)
        {
            Write(writer, item, level + 1);
        }

        writer.WriteEndArray();
    }

    private bool TryWriteScalar(Utf8JsonWriter writer, object? value)
    {
        switch (value)
        {
            case null or DBNull:
                writer.WriteNullValue();
                break;
            case bool or SwitchParameter:
                writer.WriteBooleanValue(LanguagePrimitives.IsTrue(value));
                break;
            case Enum named when enumNames:
                writer.WriteStringValue(named.ToString());
                break;
            case Enum number:
                writer.WriteRawValue(number.ToString("D"));
                break;
            case double number when double.IsFinite(number):
                writer.WriteRawValue(FloatText(number.ToString("R", CultureInfo.InvariantCulture)));
                break;
            case float number when float.IsFinite(number):
                writer.WriteRawValue(FloatText(number.ToString("R", CultureInfo.InvariantCulture)));
                break;
            case byte or sbyte or short or ushort or int or uint or long or ulong or decimal or BigInteger:
                writer.WriteRawValue(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture));
                break;
            case DateTime or DateTimeOffset:
                writer.WriteStringValue(((IFormattable)value).ToString("o", CultureInfo.InvariantCulture));
                break;
            case string or char or Guid or Uri or Version or TimeSpan or Type or double or float:
                writer.WriteStringValue(Convert.ToString(value, CultureInfo.InvariantCulture));
                break;
            default:
                return false;
        }

        return true;
    }

    // 1.0 stays a number with a fraction, so that a reader takes it for a double again.
    private static string FloatText(string digits) => digits.AsSpan().IndexOfAny('.', 'E') < 0 ? digits + ".0" : digits;

    private static object? ValueOf(PSPropertyInfo property)
    {
        try
        {
            return property.Value;
        }
        catch (GetValueException)
        {
            return null;
        }
    }
}

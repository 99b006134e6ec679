using System.Collections.Specialized;
using System.Management.Automation;
using System.Numerics;
using System.Text.Json;

namespace Qcow2.Shell.Commands.Data;

/// <summary>Turns JSON into objects with note properties, or into tables.</summary>
internal sealed class JsonValues(bool asTable)
{
    internal object? Read(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => asTable ? Table(element) : Custom(element),
        JsonValueKind.Array => element.EnumerateArray().Select(Read).ToArray(),
        JsonValueKind.String => Text(element),
        JsonValueKind.Number => Number(element),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };

    private static object Text(JsonElement element)
    {
        // A date with a time becomes a date again, as in pwsh; "2024" or "2024-01-01" stays text.
        string text = element.GetString()!;
        return text.Length >= 19 && text[10] == 'T' && element.TryGetDateTime(out DateTime date) ? date : text;
    }

    private static object Number(JsonElement element)
    {
        string digits = element.GetRawText();
        return digits.AsSpan().IndexOfAny('.', 'e', 'E') >= 0
            ? element.GetDouble()
            : element.TryGetInt64(out long number) ? number : BigInteger.Parse(digits, null);
    }

    private OrderedDictionary Table(JsonElement element)
    {
        OrderedDictionary table = new(StringComparer.Ordinal);
        foreach (JsonProperty property in element.EnumerateObject())
        {
            table[property.Name] = Read(property.Value);
        }

        return table;
    }

    private PSObject Custom(JsonElement element)
    {
        PSObject result = new();
        foreach (JsonProperty property in element.EnumerateObject())
        {
            result.Properties.Remove(property.Name);
            result.Properties.Add(new PSNoteProperty(property.Name, Read(property.Value)));
        }

        return result;
    }
}

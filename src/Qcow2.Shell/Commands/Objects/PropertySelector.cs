using System.Collections;
using System.Management.Automation;
using Microsoft.PowerShell.Commands;

namespace Qcow2.Shell.Commands.Objects;

/// <summary>One entry of a -Property list: a name, a pattern, a script block, or a table with a name and an expression.</summary>
internal sealed class PropertySelector
{
    private readonly string? _name;
    private readonly PSPropertyExpression _expression;

    /// <param name="entry">As the user gave it.</param>
    /// <exception cref="PSArgumentException">A table has no Expression.</exception>
    internal PropertySelector(object entry)
    {
        object value = entry is PSObject wrapped ? wrapped.BaseObject : entry;
        if (value is IDictionary table)
        {
            _name = Entry(table, "Name", "Label", "N", "L")?.ToString();
            Descending = LanguagePrimitives.IsTrue(Entry(table, "Descending", "D")) || Entry(table, "Ascending", "A") is false;
            value = Entry(table, "Expression", "E") ?? throw new PSArgumentException("A calculated property needs the key Expression.");
            value = value is PSObject inner ? inner.BaseObject : value;
        }

        _expression = value is ScriptBlock script
            ? new PSPropertyExpression(script)
            : new PSPropertyExpression(LanguagePrimitives.ConvertTo<string>(value));
    }

    /// <summary>Whether the entry asks for the reverse order.</summary>
    internal bool Descending { get; }

    /// <summary>The names and values that the entry stands for in <paramref name="item"/>; a name that is missing has the value null.</summary>
    internal IEnumerable<KeyValuePair<string, object?>> Select(PSObject item)
    {
        List<PSPropertyExpression> found = _expression.Script is null ? _expression.ResolveNames(item) : [_expression];
        if (found.Count == 0 && !_expression.HasWildCardCharacters)
        {
            found.Add(_expression);
        }

        foreach (PSPropertyExpression one in found)
        {
            object? value = one.GetValues(item).FirstOrDefault(r => r.Exception is null)?.Result;
            yield return new KeyValuePair<string, object?>(_name ?? one.ToString(), value);
        }
    }

    /// <summary>The entry's first value in <paramref name="item"/>.</summary>
    internal object? ValueOf(PSObject item) => Select(item).FirstOrDefault().Value;

    private static object? Entry(IDictionary table, params string[] names)
    {
        foreach (DictionaryEntry entry in table)
        {
            if (names.Contains(entry.Key.ToString(), StringComparer.OrdinalIgnoreCase))
            {
                return entry.Value is PSObject wrapped ? wrapped.BaseObject : entry.Value;
            }
        }

        return null;
    }
}

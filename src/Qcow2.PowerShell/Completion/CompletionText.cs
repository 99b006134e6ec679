using System.Management.Automation.Language;

namespace Qcow2.PowerShell.Completion;

/// <summary>Quoting of values on the command line.</summary>
internal static class CompletionText
{
    /// <summary>The word that is being completed, without the quote it may begin and end with.</summary>
    internal static string Unquote(string? word) => (word ?? "").Trim('\'', '"');

    /// <summary>A value as it is typed: in single quotes unless it is a plain word.</summary>
    internal static string Quote(string value)
        => value.All(character => char.IsLetterOrDigit(character) || character is '-' or '_' or '.') && char.IsLetterOrDigit(value[0])
            ? value
            : $"'{CodeGeneration.EscapeSingleQuotedStringContent(value)}'";
}

using System.Management.Automation.Runspaces;

namespace Qcow2.Shell.Sessions;

/// <summary>Turns the words after a script's path into its parameters, as pwsh does.</summary>
internal static class ScriptArguments
{
    /// <summary><c>-Name</c> is a parameter's name, <c>-Name:value</c> a name with its value, anything else a value.</summary>
    internal static IEnumerable<CommandParameter> Parse(IEnumerable<string> words) => words.Select(Parse);

    private static CommandParameter Parse(string word)
    {
        if (word.Length < 2 || word[0] != '-' || char.IsAsciiDigit(word[1]))
        {
            return new CommandParameter(null, word);
        }

        int colon = word.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? new CommandParameter(word) : new CommandParameter(word[..colon], Value(word[(colon + 1)..]));
    }

    private static object Value(string text) => text.ToUpperInvariant() switch
    {
        "$TRUE" => true,
        "$FALSE" => false,
        _ => text,
    };
}

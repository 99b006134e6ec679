using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator.Output;

/// <summary>Writes a parameter set as <c>Get-Command -Syntax</c> does, in lines of moderate length.</summary>
public static class SyntaxText
{
    private const int Width = 100;

    /// <summary>One way to call a command.</summary>
    /// <param name="command">The command's name.</param>
    /// <param name="set">The parameter set.</param>
    public static string Write(string command, SyntaxHelp set)
    {
        ArgumentNullException.ThrowIfNull(set);
        var lines = new List<string>();
        string line = command;
        foreach (string part in set.Parameters.Select(Write).Append("[<CommonParameters>]"))
        {
            if (line.Length + part.Length + 1 > Width)
            {
                lines.Add(line);
                line = "   ";
            }

            line += " " + part;
        }

        lines.Add(line);
        return string.Join('\n', lines);
    }

    private static string Write(SyntaxParameter parameter)
    {
        string name = "-" + parameter.Parameter.Name;
        name = parameter.Binding.Position is null ? name : $"[{name}]";
        string whole = parameter.Parameter.IsSwitch ? name : $"{name} {Value(parameter.Parameter)}";
        return parameter.Binding.IsRequired ? whole : $"[{whole}]";
    }

    private static string Value(ParameterHelp parameter)
        => parameter.AcceptedValues.Count > 0 ? $"{{{string.Join(" | ", parameter.AcceptedValues.Select(value => value.Name))}}}" : $"<{parameter.TypeName}>";
}

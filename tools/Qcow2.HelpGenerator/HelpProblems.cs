using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator;

/// <summary>Finds what help does not say.</summary>
public static class HelpProblems
{
    /// <summary>What is missing, a line each; none if help is complete.</summary>
    /// <param name="commands">Help on cmdlets.</param>
    public static IEnumerable<string> Find(IEnumerable<CommandHelp> commands)
    {
        ArgumentNullException.ThrowIfNull(commands);
        return commands.SelectMany(Find);
    }

    private static IEnumerable<string> Find(CommandHelp command)
    {
        if (command.Synopsis.IsEmpty)
        {
            yield return $"{command.Name}: no synopsis. Give its class a <summary>.";
        }

        if (command.Description.IsEmpty)
        {
            yield return $"{command.Name}: no description. Give its class <remarks>.";
        }

        if (command.Examples.Count == 0)
        {
            yield return $"{command.Name}: no example. Give its class an <example> with <code>.";
        }

        foreach (ParameterHelp parameter in command.Parameters.Where(parameter => parameter.Description.IsEmpty))
        {
            yield return $"{command.Name} -{parameter.Name}: no description. Give its property a <summary>.";
        }
    }
}

using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Reflection;

namespace Qcow2.Shell.Commands;

/// <summary>The commands that the bare engine lacks: every <see cref="CmdletAttribute"/> of this assembly.</summary>
internal static class CommandTable
{
    private const string Prompt = "\"QCOW2 $($ExecutionContext.SessionState.Path.CurrentLocation)> \"";

    /// <summary>Adds the commands and the prompt to a session.</summary>
    internal static void AddTo(InitialSessionState state)
    {
        foreach (Type type in typeof(CommandTable).Assembly.GetTypes())
        {
            if (type.GetCustomAttribute<CmdletAttribute>() is { } cmdlet)
            {
                state.Commands.Add(new SessionStateCmdletEntry($"{cmdlet.VerbName}-{cmdlet.NounName}", type, null));
            }
        }

        state.Commands.Remove("prompt", typeof(SessionStateFunctionEntry));
        state.Commands.Add(new SessionStateFunctionEntry("prompt", Prompt));
    }
}

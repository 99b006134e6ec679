using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Reflection;

namespace Qcow2.HelpGenerator.Metadata;

/// <summary>Asks PowerShell's engine what it knows of cmdlets, so that help says what binding does.</summary>
public static class CommandCatalog
{
    /// <summary>The classes of an assembly that are cmdlets.</summary>
    /// <param name="assembly">The assembly.</param>
    public static IReadOnlyList<Type> CommandTypes(Assembly assembly)
        => [.. assembly.GetExportedTypes().Where(type => !type.IsAbstract && type.IsDefined(typeof(CmdletAttribute), inherit: false))];

    /// <summary>Has the engine describe cmdlets, and uses the descriptions while they are valid.</summary>
    /// <typeparam name="T">What is made of a description.</typeparam>
    /// <param name="commandTypes">Classes of cmdlets.</param>
    /// <param name="use">Makes something of a description.</param>
    /// <returns>What was made, by the names of the cmdlets.</returns>
    public static IReadOnlyList<T> Describe<T>(IEnumerable<Type> commandTypes, Func<CmdletInfo, T> use)
    {
        ArgumentNullException.ThrowIfNull(use);
        var state = InitialSessionState.Create();
        var names = new SortedSet<string>(StringComparer.Ordinal);
        foreach (Type type in commandTypes)
        {
            var cmdlet = type.GetCustomAttribute<CmdletAttribute>()!;
            string name = $"{cmdlet.VerbName}-{cmdlet.NounName}";
            state.Commands.Add(new SessionStateCmdletEntry(name, type, helpFileName: null));
            names.Add(name);
        }

        using Runspace runspace = RunspaceFactory.CreateRunspace(state);
        runspace.Open();
        Runspace? previous = Runspace.DefaultRunspace;
        Runspace.DefaultRunspace = runspace; // parameter metadata is built lazily, on the thread's runspace
        try
        {
            return [.. names.Select(name => use(runspace.SessionStateProxy.InvokeCommand.GetCmdlet(name)))];
        }
        finally
        {
            Runspace.DefaultRunspace = previous;
        }
    }
}

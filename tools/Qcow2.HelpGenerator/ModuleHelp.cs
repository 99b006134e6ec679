using System.Reflection;
using Qcow2.HelpGenerator.Documentation;
using Qcow2.HelpGenerator.Metadata;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator;

/// <summary>Help on the module's own cmdlets.</summary>
public static class ModuleHelp
{
    /// <summary>Help on each cmdlet, by name.</summary>
    public static IReadOnlyList<CommandHelp> Read()
    {
        Assembly cmdlets = Assembly.Load("Qcow2.PowerShell");
        Assembly engine = Assembly.Load("Qcow2.Engine");
        return CommandHelpBuilder.Build(CommandCatalog.CommandTypes(cmdlets), XmlDocReader.ForAssemblies(engine, cmdlets));
    }

    /// <summary>The repository's root: the folder, at or above a folder, that has the solution.</summary>
    /// <param name="start">Where to start.</param>
    /// <exception cref="DirectoryNotFoundException">No folder has it.</exception>
    public static string FindRoot(string start)
    {
        for (DirectoryInfo? folder = new(start); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Qcow2.sln")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException($"Neither {start} nor a folder above it has Qcow2.sln.");
    }
}

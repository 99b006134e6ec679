using System.Management.Automation;
using System.Reflection;

namespace Qcow2.Shell;

/// <summary>What the shell says of its version.</summary>
internal static class ShellVersion
{
    /// <summary>The shell's version, without the commit that a build may add.</summary>
    internal static string Shell { get; } = Informational(typeof(ShellVersion).Assembly);

    /// <summary>The version of the PowerShell engine inside.</summary>
    internal static string Engine { get; } = Informational(typeof(PSObject).Assembly);

    /// <summary>One line for <c>-Version</c> and the banner.</summary>
    internal static string Line => $"Qcow2 for PowerShell {Shell} (PowerShell engine {Engine})";

    private static string Informational(Assembly assembly)
    {
        string version = assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";
        return version.Split('+', ' ')[0];
    }
}

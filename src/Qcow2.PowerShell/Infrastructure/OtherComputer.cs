using System.Management.Automation;
using System.Net.NetworkInformation;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>
/// Objects that remoting brought from another computer. The file that they name lies there, and this computer may have another one of
/// that name.
/// </summary>
internal static class OtherComputer
{
    private static readonly string[] Here = ["localhost", "127.0.0.1", "::1", "."];

    /// <summary>The computer that an object came from; null for this one. Remoting and jobs write it on each object.</summary>
    internal static string? Of(PSObject item)
    {
        string? name = item.Properties["PSComputerName"]?.Value?.ToString();
        return string.IsNullOrEmpty(name) || IsHere(name!) ? null : name;
    }

    /// <summary>Whether a path leads to the same file from every computer.</summary>
    internal static bool IsShared(string path)
        => Environment.OSVersion.Platform == PlatformID.Win32NT && path.StartsWith(@"\\", StringComparison.Ordinal);

    internal static ImageCmdletException Refuse(string path, string computer) => new(
        "ImageOnOtherComputer", ErrorCategory.InvalidArgument,
        $"{path}: this object comes from the computer '{DisplayText.Printable(computer)}', and so does its path. Run the command there (Invoke-Command), or, if this computer has the same file at that path, pass on the path alone.");

    private static bool IsHere(string name)
        => Here.Contains(name, StringComparer.OrdinalIgnoreCase)
            || string.Equals(name, Environment.MachineName, StringComparison.OrdinalIgnoreCase)
            || string.Equals(name, FullName(), StringComparison.OrdinalIgnoreCase);

    private static string FullName()
    {
        var network = IPGlobalProperties.GetIPGlobalProperties();
        return network.DomainName.Length == 0 ? network.HostName : $"{network.HostName}.{network.DomainName}";
    }
}

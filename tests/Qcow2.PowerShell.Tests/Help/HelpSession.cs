using System.Management.Automation.Runspaces;
using Qcow2.HelpGenerator;
using Qcow2.HelpGenerator.Output;
using Qcow2.Tests;

namespace Qcow2.PowerShell.Tests.Help;

/// <summary>
/// PowerShell with cmdlets imported the way the module imports them: by a script in the folder that has the help file in
/// en-US, from an assembly that lies elsewhere.
/// </summary>
internal sealed class HelpSession : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Runspace _runspace;

    private HelpSession(Type inAssembly, string maml)
    {
        string location = inAssembly.Assembly.Location;
        File.WriteAllText(_folder.File($"en-US/{Path.GetFileName(location)}-Help.xml"), maml);
        string module = _folder.File("Sample.psm1");
        File.WriteAllText(module, $"Import-Module -Name '{location}'\nExport-ModuleMember -Cmdlet '*' -Alias '*'\n");
        _runspace = RunspaceFactory.CreateRunspace(InitialSessionState.CreateDefault());
        _runspace.Open();
        Run($"Import-Module '{module}' -ErrorAction Stop");
    }

    /// <summary>Help on the module's own cmdlets, from the file as it is committed.</summary>
    internal static HelpSession OfModule()
        => new(typeof(Commands.GetQcow2ImageCommand), File.ReadAllText(Path.Combine(ModuleHelp.FindRoot(AppContext.BaseDirectory), HelpFiles.Maml)));

    /// <summary>Help on the sample cmdlets.</summary>
    internal static HelpSession OfSamples() => new(typeof(HelpSession), MamlWriter.Write(SampleHelp.All));

    /// <summary>Gets help on a command into <c>$help</c>, runs a script, and gives its output as text, trimmed at the end.</summary>
    internal string[] Help(string command, string script) => Run($"$help = Get-Help -Name '{command}' -Full -ErrorAction Stop; {script}");

    public void Dispose()
    {
        _runspace.Dispose();
        _folder.Dispose();
    }

    private string[] Run(string script)
    {
        using var shell = System.Management.Automation.PowerShell.Create(_runspace);
        return [.. shell.AddScript(script).Invoke().Select(value => $"{value}".ReplaceLineEndings("\n").TrimEnd())];
    }
}

namespace Qcow2.PowerShell.Tests.Shell;

/// <summary>A test that needs the real module laid out beside the shell.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ModuleBesideShellFactAttribute : FactAttribute
{
    public ModuleBesideShellFactAttribute()
    {
        string manifest = Path.Combine(Path.GetDirectoryName(ShellProcess.ShellPath)!, "Modules", "Qcow2", "Qcow2.psd1");
        Skip = File.Exists(manifest) ? null : "The module has no manifest yet, so it is not beside the shell.";
    }
}

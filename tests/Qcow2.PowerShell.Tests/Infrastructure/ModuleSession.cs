using System.Management.Automation;
using System.Management.Automation.Runspaces;
using PowerShellPipeline = System.Management.Automation.PowerShell;

namespace Qcow2.PowerShell.Tests.Infrastructure;

/// <summary>What a script emitted, on every stream.</summary>
public sealed record SessionResult(
    IReadOnlyList<PSObject> Output,
    IReadOnlyList<ErrorRecord> Errors,
    IReadOnlyList<string> Warnings,
    IReadOnlyList<string> Verbose,
    IReadOnlyList<ProgressRecord> Progress)
{
    /// <summary>The ids of the errors, without the command's name.</summary>
    public IReadOnlyList<string> ErrorIds => [.. Errors.Select(error => error.FullyQualifiedErrorId.Split(',')[0])];

    /// <summary>The objects themselves.</summary>
    public IReadOnlyList<T> Of<T>() => [.. Output.Select(item => Assert.IsType<T>(item.BaseObject))];
}

/// <summary>
/// A session of PowerShell in this process, with the module imported from the folder that the build laid out
/// and a folder of its own as the current location.
/// </summary>
public sealed class ModuleSession : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly ScreenHost _screen = new();
    private readonly Runspace _runspace;

    public ModuleSession()
    {
        // What is built in is there at once, with nothing to look for on a module path.
        InitialSessionState state = InitialSessionState.CreateDefault();
        if (OperatingSystem.IsWindows())
        {
            // Scripts are not run there, nor views loaded, before somebody allows it.
            state.ExecutionPolicy = Microsoft.PowerShell.ExecutionPolicy.Bypass;
        }

        state.ThrowOnRunspaceOpenError = true;
        state.ImportPSModule([Manifest]);
        _runspace = RunspaceFactory.CreateRunspace(_screen, state);
        _runspace.Open();
        _runspace.SessionStateProxy.Path.SetLocation(_folder.Path);
        _runspace.SessionStateProxy.SetVariable("folder", _folder.Path);
    }

    /// <summary>The manifest of the module under test.</summary>
    public static string Manifest { get; } = Path.Combine(AppContext.BaseDirectory, "Modules", "Qcow2", "Qcow2.psd1");

    public TempFolder Folder => _folder;

    /// <summary>Full path of a file in the session's folder.</summary>
    public string File(string name) => Path.Combine(_folder.Path, name);

    /// <summary>Copies fixtures, with what they refer to, into the session's folder.</summary>
    public ModuleSession With(params string[] fixtures)
    {
        foreach (string fixture in fixtures)
        {
            Fixtures.Get(fixture).CopyTo(_folder);
        }

        return this;
    }

    /// <summary>Runs a script. Errors are returned; one that ends the script is thrown.</summary>
    public SessionResult Run(string script, params object[] arguments)
    {
        using PowerShellPipeline shell = Start(script, arguments);
        PSObject[] output = [.. shell.Invoke()];
        return Result(shell, output);
    }

    /// <summary>A pipeline that the caller runs.</summary>
    public PowerShellPipeline Start(string script, params object[] arguments)
    {
        PowerShellPipeline shell = PowerShellPipeline.Create();
        shell.Runspace = _runspace;
        shell.AddScript(script);
        foreach (object argument in arguments)
        {
            shell.AddArgument(argument);
        }

        return shell;
    }

    /// <summary>What a person sees of the objects that a script emits, on a screen of 120 columns.</summary>
    public string Show(string script, params object[] arguments)
    {
        _screen.Clear();
        using PowerShellPipeline shell = Start(script, arguments);
        shell.AddCommand("Out-Default").Invoke();
        return _screen.Text;
    }

    public static SessionResult Result(PowerShellPipeline shell, IReadOnlyList<PSObject> output) => new(
        output,
        [.. shell.Streams.Error],
        [.. shell.Streams.Warning.Select(record => record.Message)],
        [.. shell.Streams.Verbose.Select(record => record.Message)],
        [.. shell.Streams.Progress]);

    public void Dispose()
    {
        _runspace.Dispose();
        _folder.Dispose();
    }
}

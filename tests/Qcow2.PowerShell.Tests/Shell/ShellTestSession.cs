using Qcow2.Shell.Hosting;
using Qcow2.Shell.Sessions;

namespace Qcow2.PowerShell.Tests.Shell;

/// <summary>The shell's commands in this process, in a folder of their own, with the streams caught.</summary>
public sealed class ShellTestSession : IDisposable
{
    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();
    private readonly ShellSession _session;

    public ShellTestSession()
    {
        Terminal nobody = new() { Input = false, Output = false, Error = false };
        _session = new ShellSession(new ShellHost(new ShellHostUserInterface(nobody, nonInteractive: true, _output, _error)));
        Folder = Directory.CreateTempSubdirectory("qcow2sh").FullName;
    }

    public string Folder { get; }

    /// <summary>Runs a script in the folder; gives what it showed, each line trimmed at its end.</summary>
    public string Run(string script)
    {
        (bool succeeded, string output, string error) = TryRun(script);
        Assert.True(error.Length == 0 && succeeded, error);
        return output;
    }

    /// <summary>Runs a script that may fail.</summary>
    public (bool Succeeded, string Output, string Error) TryRun(string script)
    {
        _output.GetStringBuilder().Clear();
        _error.GetStringBuilder().Clear();
        _session.RunText($"Set-Location -LiteralPath '{Folder}'");
        bool succeeded = _session.RunText(script);
        return (succeeded, Trim(_output.ToString()), Trim(_error.ToString()));
    }

    public void Dispose()
    {
        _session.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private static string Trim(string text) =>
        string.Join('\n', text.ReplaceLineEndings("\n").Split('\n').Select(l => l.TrimEnd())).Trim('\n');
}

using System.Diagnostics;
using System.Reflection;

namespace Qcow2.PowerShell.Tests.Shell;

/// <summary>Starts the built shell as a user does.</summary>
internal static class ShellProcess
{
    internal static string ShellPath { get; } = typeof(ShellProcess).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "ShellPath").Value!;

    internal static (int ExitCode, string Output, string Error) Run(string? input, params string[] arguments)
    {
        ProcessStartInfo start = new("dotnet", [ShellPath, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(1)));
        return (process.ExitCode, output.ReplaceLineEndings("\n"), error.GetAwaiter().GetResult().ReplaceLineEndings("\n"));
    }
}

using System.Diagnostics;

namespace Qcow2.Engine.Tests;

/// <summary>Runs the host's own programs, for what .NET cannot make or ask.</summary>
internal static class Shell
{
    /// <summary>Whether programs are there.</summary>
    internal static bool Has(params string[] programs)
        => !OperatingSystem.IsWindows() && programs.All(program => Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(folder => File.Exists(Path.Combine(folder, program))));

    /// <summary>Runs a program to its end, which must be a success.</summary>
    /// <returns>What it wrote.</returns>
    internal static string Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {errors.Result}");
        return output.Trim();
    }
}

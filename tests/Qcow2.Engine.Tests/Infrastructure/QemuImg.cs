using System.ComponentModel;
using System.Diagnostics;

namespace Qcow2.Engine.Tests.Infrastructure;

/// <summary>Runs qemu's own tools, the judge of what an image means.</summary>
internal static class QemuImg
{
    internal static bool IsAvailable { get; } = CanStart("qemu-img") && CanStart("qemu-io");

    /// <summary>Runs qemu-img and returns what it printed; throws with its error output when it fails.</summary>
    internal static string Run(params string[] args) => Run("qemu-img", args);

    /// <summary>Runs qemu-io and returns what it printed; throws with its error output when it fails.</summary>
    internal static string RunIo(params string[] args) => Run("qemu-io", args);

    private static string Run(string program, string[] args)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string arg in args)
        {
            start.ArgumentList.Add(arg);
        }

        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException($"{program} {string.Join(' ', args)} ended with {process.ExitCode}: {error.Result}{output}");
    }

    private static bool CanStart(string program)
    {
        try
        {
            Run(program, ["--version"]);
            return true;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}

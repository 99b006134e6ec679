using System.ComponentModel;
using System.Diagnostics;

namespace Qcow2.Tests;

/// <summary>What a program said when it ended.</summary>
public sealed record ProgramResult(int ExitCode, string Output, string Error);

/// <summary>Runs QEMU's own tools, the judge of what an image means.</summary>
public static class QemuImg
{
    /// <summary>No command of a test takes this long; one that does hangs.</summary>
    private static readonly TimeSpan TimeLimit = TimeSpan.FromMinutes(2);

    private static readonly Lazy<string?> FoundVersion = new(FindVersion);

    /// <summary>Why tests that need the tools are skipped; null where the tools are installed.</summary>
    public static string? SkipReason => IsAvailable ? null : "qemu-img and qemu-io are not on the PATH (package qemu-utils).";

    /// <summary>Why tests that need these programs, too, are skipped; null where all are installed.</summary>
    public static string? SkipReasonWithout(IEnumerable<string> programs)
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        string? missing = programs.FirstOrDefault(program => !folders.Any(folder => File.Exists(Path.Combine(folder, program))));
        return missing is null ? null : $"{missing} is not on the PATH.";
    }

    public static bool IsAvailable => FoundVersion.Value is not null;

    /// <summary>The first line that <c>qemu-img --version</c> prints; empty where it is missing.</summary>
    public static string Version => FoundVersion.Value ?? "";

    /// <summary>Runs qemu-img and returns what it printed; throws with its errors when it fails.</summary>
    public static string Run(params string[] args) => Require("qemu-img", args);

    /// <summary>
    /// Runs qemu-img in a folder. An external data file needs that: qemu takes its name from the current folder, not from
    /// the image's.
    /// </summary>
    public static string RunIn(string folder, params string[] args) => Require("qemu-img", args, folder);

    /// <summary>Runs qemu-io and returns what it printed; throws with its errors when it fails.</summary>
    public static string RunIo(params string[] args) => Require("qemu-io", args);

    /// <summary>Runs qemu-img, whose failure the caller expects or judges.</summary>
    public static ProgramResult TryRun(params string[] args) => Start("qemu-img", args);

    /// <inheritdoc cref="TryRun"/>
    /// <remarks>Runs in a folder; see <see cref="RunIn"/>.</remarks>
    public static ProgramResult TryRunIn(string folder, params string[] args) => Start("qemu-img", args, folder);

    /// <summary>Runs qemu-io, whose failure the caller expects or judges.</summary>
    public static ProgramResult TryRunIo(params string[] args) => Start("qemu-io", args);

    /// <inheritdoc cref="TryRunIo"/>
    /// <remarks>Runs in a folder; see <see cref="RunIn"/>.</remarks>
    public static ProgramResult TryRunIoIn(string folder, params string[] args) => Start("qemu-io", args, folder);

    /// <summary>Starts a virtual machine that is told on its standard input to end, in a folder. The caller judges its failure.</summary>
    public static ProgramResult TryRunMachineIn(string folder, params string[] args)
        => Start("qemu-system-x86_64", args, folder, "quit\n");

    private static string Require(string program, string[] args, string folder = "")
    {
        ProgramResult result = Start(program, args, folder);
        return result.ExitCode == 0
            ? result.Output
            : throw new InvalidOperationException(
                $"{program} {string.Join(' ', args)} ended with {result.ExitCode}: {result.Error}{result.Output}");
    }

    // Before it sets a LUKS key qemu-img times itself, and gives up when its clock of CPU time did not tick in between.
    private static ProgramResult Start(string program, string[] args, string folder = "", string input = "")
    {
        ProgramResult result;
        int attempts = 0;
        do
        {
            result = StartOnce(program, args, folder, input);
        }
        while (result.ExitCode != 0 && result.Error.Contains("accurate CPU usage", StringComparison.Ordinal) && ++attempts < 20);

        return result;
    }

    private static ProgramResult StartOnce(string program, string[] args, string folder, string input)
    {
        var start = new ProcessStartInfo(program, args)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["LC_ALL"] = "C";

        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Tell(process, input);
        if (!process.WaitForExit(TimeLimit))
        {
            process.Kill();
            throw new TimeoutException($"{program} {string.Join(' ', args)} did not end in {TimeLimit}.");
        }

        return new ProgramResult(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
    }

    private static void Tell(Process process, string input)
    {
        try
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without listening; its exit code says why.
        }
    }

    private static string? FindVersion()
    {
        try
        {
            Require("qemu-io", ["--version"]);
            return Require("qemu-img", ["--version"]).Split('\n')[0].Trim();
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}

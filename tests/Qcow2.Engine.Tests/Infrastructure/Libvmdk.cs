using System.Diagnostics;

namespace Qcow2.Engine.Tests;

/// <summary>libvmdk, an independent reader of VMDK, by the system's Python (Debian's package python3-libvmdk).</summary>
internal static class Libvmdk
{
    private const string Python = "/usr/bin/python3";

    private const string Reading = """
        import pyvmdk, sys
        handle = pyvmdk.handle()
        handle.open(sys.argv[1])
        handle.open_extent_data_files()
        done, size = 0, handle.get_media_size()
        with open(sys.argv[2], 'wb') as out:
            while done < size:
                data = handle.read_buffer_at_offset(min(1 << 20, size - done), done)
                out.write(data)
                done += len(data)
        """;

    private static readonly Lazy<bool> Found = new(() => File.Exists(Python) && Start("import pyvmdk").ExitCode == 0);

    /// <summary>Whether it is installed; tests that need it say so where it is not.</summary>
    internal static bool IsAvailable => Found.Value;

    /// <summary>Why tests that need it are skipped; null where it is installed.</summary>
    internal static string? SkipReason => IsAvailable ? null : $"{Python} has no pyvmdk (package python3-libvmdk).";

    /// <summary>Writes the disk to a file.</summary>
    internal static void ReadAll(string label, string path, string output)
    {
        (int code, string said) = Start(Reading, path, output);
        Assert.True(code == 0, $"{label}: {said}");
    }

    private static (int ExitCode, string Output) Start(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(Python, ["-c", program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + error.GetAwaiter().GetResult());
    }
}

/// <summary>A theory that needs libvmdk, and is skipped elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LibvmdkTheoryAttribute : TheoryAttribute
{
    public LibvmdkTheoryAttribute() => Skip = Libvmdk.SkipReason;
}

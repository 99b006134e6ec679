using System.Diagnostics;

namespace Qcow2.Engine.Tests;

/// <summary>libvhdi, an independent reader of VHD and VHDX, by the system's Python (Debian's package python3-libvhdi).</summary>
internal static class Libvhdi
{
    private const string Python = "/usr/bin/python3";

    private const string Reading = """
        import pyvhdi, sys
        path, output, chunk, parent = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
        f = pyvhdi.file()
        f.open(path)
        if parent:
            p = pyvhdi.file()
            p.open(parent)
            f.set_parent(p)
        done, size = 0, f.get_media_size()
        with open(output, 'wb') as out:
            while done < size:
                data = f.read_buffer_at_offset(min(chunk, size - done), done)
                out.write(data)
                done += len(data)
        """;

    private const string Looking = """
        import pyvhdi, sys
        f = pyvhdi.file()
        f.open(sys.argv[1])
        print(f.get_media_size())
        for place in sys.argv[2:]:
            print(f.read_buffer_at_offset(512, int(place)).hex())
        """;

    private static readonly Lazy<bool> Found = new(() => File.Exists(Python) && Start("import pyvhdi").ExitCode == 0);

    /// <summary>Why tests that need it are skipped; null where it is installed.</summary>
    internal static string? SkipReason => IsAvailable ? null : $"{Python} has no pyvhdi (package python3-libvhdi).";

    internal static bool IsAvailable => Found.Value;

    /// <summary>Writes the disk to a file.</summary>
    internal static void ReadAll(string label, string path, string output, string? parent = null, int chunk = 1 << 20)
    {
        (int code, string said) = Start(Reading, path, output, $"{chunk}", parent ?? "");
        Assert.True(code == 0, $"{label}: {said}");
    }

    /// <summary>The disk's size, and 512 bytes at each of some places.</summary>
    internal static (long Size, byte[][] Sectors) Look(string path, params long[] places)
    {
        (int code, string said) = Start(Looking, [path, .. places.Select(place => $"{place}")]);
        Assert.True(code == 0, said);
        string[] lines = said.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return (long.Parse(lines[0], System.Globalization.CultureInfo.InvariantCulture), [.. lines.Skip(1).Select(Convert.FromHexString)]);
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

/// <summary>A test that needs libvhdi, and is skipped elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LibvhdiFactAttribute : FactAttribute
{
    public LibvhdiFactAttribute() => Skip = Libvhdi.SkipReason;
}

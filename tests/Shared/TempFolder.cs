namespace Qcow2.Tests;

/// <summary>A folder of a test's own, deleted with everything in it when the test ends.</summary>
public sealed class TempFolder : IDisposable
{
    public TempFolder() => Path = Directory.CreateTempSubdirectory("qcow2-test-").FullName;

    public string Path { get; }

    /// <summary>The full path of a file in the folder. The file need not exist; folders of a nested name are made.</summary>
    public string File(string name)
    {
        // In the host's own writing, with one kind of separator.
        string path = System.IO.Path.GetFullPath(name, Path);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        return path;
    }

    /// <summary>Writes a file into the folder and returns its path.</summary>
    public string Write(string name, ReadOnlySpan<byte> content)
    {
        string path = File(name);
        System.IO.File.WriteAllBytes(path, content);
        return path;
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (IOException) when (OperatingSystem.IsWindows())
        {
            // A file that a failed test left open cannot be deleted there; the failure is what matters.
        }
    }

    public override string ToString() => Path;
}

using System.Diagnostics;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

public sealed class LocalFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Reads_and_writes_by_position()
    {
        using LocalFile file = LocalFile.CreateNew(_folder.File("file"));
        file.Write(5, [1, 2, 3]);
        byte[] read = new byte[10];

        Assert.Equal(8, file.Length);
        Assert.Equal(8, file.Read(0, read));
        Assert.Equal([0, 0, 0, 0, 0, 1, 2, 3, 0, 0], read);
        Assert.Equal(0, file.Read(100, read));
    }

    [Fact]
    public void Holes_are_found_and_take_no_space()
    {
        using LocalFile file = LocalFile.CreateNew(_folder.File("sparse"));
        file.SetLength(64 << 20);
        file.Write(32 << 20, new byte[1 << 20].Select(_ => (byte)1).ToArray());
        file.Flush();

        Assert.Equal(new StorageRun(false, 32 << 20), file.RunAt(0));
        Assert.Equal(new StorageRun(true, 33 << 20), file.RunAt(32 << 20));
        Assert.Equal(new StorageRun(false, 64 << 20), file.RunAt(40 << 20));
        Assert.InRange(file.AllocatedLength, 1 << 20, 2 << 20);
    }

    [Fact]
    public void Identity_is_the_files_own_whatever_it_is_called()
    {
        File.WriteAllBytes(_folder.File("a"), [1]);
        File.WriteAllBytes(_folder.File("b"), [1]);
        File.CreateSymbolicLink(_folder.File("link"), _folder.File("a"));
        using LocalFile a = LocalFile.OpenRead(_folder.File("a"));
        using LocalFile b = LocalFile.OpenRead(_folder.File("b"));
        using LocalFile link = LocalFile.OpenRead(_folder.File("link"));

        Assert.Equal(a.Identity, link.Identity);
        Assert.NotEqual(a.Identity, b.Identity);
    }

    [Fact]
    public void A_folder_is_refused() => Assert.Throws<IOException>(() => LocalFile.OpenRead(_folder.Path));

    [Fact]
    public void A_missing_file_says_so() => Assert.Throws<FileNotFoundException>(() => LocalFile.OpenRead(_folder.File("missing")));

    [Fact]
    public void A_pipe_is_refused_at_once()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        using (Process mkfifo = Process.Start(new ProcessStartInfo("mkfifo", [_folder.File("pipe")]))!)
        {
            mkfifo.WaitForExit();
        }

        // Opening it would wait for a writer that never comes.
        var error = Assert.Throws<IOException>(() => LocalFile.OpenRead(_folder.File("pipe")));
        Assert.Contains("neither", error.Message, StringComparison.Ordinal);
    }
}

using System.Diagnostics;
using Qcow2.Engine.Conversion;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>A disk of the host that is too small for what is written to it.</summary>
public sealed class DiskFullTests : IDisposable
{
    private const int NoSpace = 28; // ENOSPC

    private readonly TempFolder _folder = new();
    private readonly string _small;

    public DiskFullTests() => _small = _folder.File("small");

    public void Dispose()
    {
        Run("umount", "-l", _small);
        _folder.Dispose();
    }

    [SuperuserFact]
    public void Is_an_error_that_leaves_the_old_file_and_nothing_else()
    {
        Directory.CreateDirectory(_small);
        Assert.Equal(0, Run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", _small));
        byte[] content = new byte[8 << 20];
        new Random(1).NextBytes(content);
        using RawDisk source = RawDisk.Open(_folder.Write("source.raw", content));
        string destination = Path.Combine(_small, "disk");
        Action[] conversions =
        [
            () => DiskConverter.ConvertToRaw(source, destination, overwrite: true),
            () => DiskConverter.ConvertToQcow2(source, destination, overwrite: true),
            () => DiskConverter.ConvertToQcow2(source, destination, overwrite: true, options: new ConversionOptions { Compress = true }),
            () => DiskConverter.ConvertToQcow2(source, destination, new Qcow2CreateOptions { DataFile = "data" }, overwrite: true),
            () => DiskConverter.ConvertToQcow2(source, destination, new Qcow2CreateOptions { Preallocation = Preallocation.Full }, overwrite: true),
        ];
        File.WriteAllText(destination, "precious");

        foreach (Action convert in conversions)
        {
            IOException error = Assert.Throws<IOException>(convert);
            Assert.Equal(NoSpace, error.HResult & 0xffff);
            Assert.StartsWith(destination, error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(".tmp", error.Message, StringComparison.Ordinal);
            Assert.Equal([destination], Directory.GetFiles(_small));
            Assert.Equal("precious", File.ReadAllText(destination));
        }
    }

    [SuperuserFact]
    public void Leaves_an_image_that_was_to_be_compacted_as_it_was()
    {
        Directory.CreateDirectory(_small);
        Assert.Equal(0, Run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", _small));
        string path = Path.Combine(_small, "disk.qcow2");
        byte[] content = new byte[5 << 19];
        new Random(1).NextBytes(content);
        using (Qcow2Image image = Qcow2Image.Create(path, 16 << 20))
        {
            image.Write(0, content);
        }

        byte[] before = File.ReadAllBytes(path);
        Assert.Equal(NoSpace, Assert.Throws<IOException>(() => ImageOptimizer.Optimize(path)).HResult & 0xffff);
        Assert.Equal([path], Directory.GetFiles(_small));
        Assert.Equal(before, File.ReadAllBytes(path));
    }

    private static int Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }
}

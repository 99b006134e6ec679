using System.Diagnostics;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>A volume of 4 MiB, also seen through a bind mount, and what does not fit on it.</summary>
public sealed class FreeSpaceTests : IDisposable
{
    private readonly ModuleSession _session = new();
    private readonly string _small;
    private readonly string _bound;

    public FreeSpaceTests()
    {
        _small = _session.File("small");
        _bound = _session.File("bound");
    }

    public void Dispose()
    {
        if (Directory.Exists(_small))
        {
            Run("umount", "-l", _bound);
            Run("umount", "-l", _small);
        }

        _session.Dispose();
    }

    [Fact]
    public void Is_known_of_a_folder() => Assert.InRange(FreeSpace.Of(_session.Folder.Path) ?? 0, 1, long.MaxValue);

    [Fact]
    public void Is_not_known_of_what_is_not_there() => Assert.Null(FreeSpace.Of(_session.File("none")));

    [SuperuserFact]
    public void A_need_that_a_volume_does_not_have_is_said_before_it_is_filled()
    {
        Directory.CreateDirectory(_small);
        Directory.CreateDirectory(_bound);
        Assert.Equal(0, Run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", _small));
        Assert.Equal(0, Run("mount", "--bind", _small, _bound));
        Assert.InRange(FreeSpace.Of(_bound) ?? 0, 3 << 20, 4 << 20);
        byte[] content = new byte[6 << 20];
        new Random(1).NextBytes(content);
        _session.Folder.Write("in.bin", content);
        Assert.Empty(_session.Run("New-Qcow2Image full.qcow2 64MB; Write-Qcow2Image full.qcow2 -Offset 0 -InputFile in.bin; Checkpoint-Qcow2Image full.qcow2 s; New-Qcow2Image empty.qcow2 1TB").Errors);

        foreach (string script in new[]
        {
            "Convert-Qcow2Image full.qcow2 bound/x.qcow2",
            "Convert-Qcow2Image full.qcow2 small/x.raw",
            "Export-Qcow2Snapshot full.qcow2 small/x.raw -SnapshotName s",
            "Read-Qcow2Image full.qcow2 -OutputFile small/x.raw",
            "New-Qcow2Image small/x.qcow2 64MB -Preallocation Full",
        })
        {
            SessionResult result = _session.Run(script);
            string warning = Assert.Single(result.Warnings);
            Assert.Matches(@"x\.(qcow2|raw): this may take .* MiB .*, and .* MiB .* are free there", warning);
            Assert.Equal("DiskFull", Assert.Single(result.ErrorIds));
            Assert.DoesNotContain(".tmp", result.Errors[0].Exception.Message, StringComparison.Ordinal);
            Assert.Contains(Path.DirectorySeparatorChar + "x.", result.Errors[0].Exception.Message, StringComparison.Ordinal);
            Assert.Empty(Directory.GetFiles(_small));
            Assert.Empty(_session.Run(script + " -Force").Warnings);
        }

        foreach (string script in new[]
        {
            "Convert-Qcow2Image empty.qcow2 small/y.raw",
            "Convert-Qcow2Image empty.qcow2 small/y.qcow2",
            "Read-Qcow2Image full.qcow2 -Count 1MB -OutputFile small/z.raw",
        })
        {
            SessionResult result = _session.Run(script);
            Assert.Empty(result.Warnings);
            Assert.Empty(result.Errors);
        }

        Assert.Empty(_session.Run("New-Qcow2Image small/grow.qcow2 1MB").Errors);
        SessionResult grown = _session.Run("Resize-Qcow2Image small/grow.qcow2 64MB -Preallocation Falloc");
        Assert.Single(grown.Warnings);
        Assert.Equal("DiskFull", Assert.Single(grown.ErrorIds));
    }

    private static int Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }
}

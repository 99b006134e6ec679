using System.Diagnostics;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>What a process leaves of a file that it was replacing when it was ended.</summary>
public sealed class EndedProcessTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly CancellationTokenSource _patience = new(TimeSpan.FromMinutes(1));

    private string Target => _folder.File("disk.raw");

    public void Dispose()
    {
        _patience.Dispose();
        _folder.Dispose();
    }

    [UnixTheory]
    [InlineData("unnamed", "KILL", 0)]
    [InlineData("unnamed", "TERM", 0)]
    [InlineData("named", "TERM", 0)]
    [InlineData("named", "HUP", 0)]
    [InlineData("named", "INT", 0)]
    [InlineData("named", "QUIT", 0)]
    [InlineData("named", "KILL", 1)]
    public async Task Signal_leaves_only_what_nobody_could_remove(string how, string signal, int left)
    {
        File.WriteAllText(Target, "old");
        using (Process process = await Begin(how))
        {
            Shell.Run("kill", $"-{signal}", $"{process.Id}");
            await process.WaitForExitAsync(_patience.Token);
            Assert.NotEqual(0, process.ExitCode); // No signal is swallowed.
        }

        Assert.Equal("old", File.ReadAllText(Target));
        Assert.Equal(OperatingSystem.IsLinux() || how == "named" ? left : 1, Hidden().Length);
        if (left > 0)
        {
            Assert.True(IncompleteName.IsOurs(Path.GetFileName(Hidden()[0])));
            ReplacementFile.Create(_folder.File("another.raw"), overwrite: false).Dispose();
            Assert.Empty(Hidden()); // The next one to write into the folder finds it.
        }
    }

    [LinuxFact("nohup")]
    public async Task Signal_that_is_ignored_takes_nothing_away()
    {
        using Process process = await Begin("named", "nohup");
        Shell.Run("kill", "-HUP", $"{process.Id}");
        await Task.Delay(500);
        Assert.False(process.HasExited);
        Assert.Single(Hidden());
        Shell.Run("kill", "-TERM", $"{process.Id}");
        await process.WaitForExitAsync(_patience.Token);
        Assert.Empty(Hidden());
    }

    [UnixTheory]
    [InlineData("named")]
    [InlineData("unnamed")]
    public async Task File_of_a_process_that_lives_is_left_alone(string how)
    {
        using Process process = await Begin(how);
        int before = Hidden().Length;
        for (int round = 0; round < 3; round++)
        {
            using var other = ReplacementFile.Create(_folder.File("another.raw"), overwrite: true, canHaveNoName: round == 0);
            other.Commit();
        }

        Assert.Equal(before, Hidden().Length);
        process.Kill();
        await process.WaitForExitAsync(_patience.Token);
    }

    [Fact]
    public void Files_that_only_look_like_ours_stay()
    {
        string ours = IncompleteName.For("disk.raw");
        char[] digits = ours.ToCharArray();
        digits[^5] = digits[^5] == '0' ? '1' : '0';
        string[] others = [new string(digits), $".disk.raw.{Guid.NewGuid():N}.tmp", ".x.tmp", ".tmp", ours.Replace("disk", "dusk"), ours[1..]];
        Assert.All(others, name => Assert.False(IncompleteName.IsOurs(name)));
        Array.ForEach(others, name => File.WriteAllText(_folder.File(name), "somebody's"));
        File.WriteAllText(_folder.File(ours), "left behind");

        IncompleteFiles.Sweep(_folder.Path);

        Assert.Equal(others.Order(), Directory.GetFiles(_folder.Path).Select(Path.GetFileName).Order());
    }

    [LinuxFact]
    public void Link_with_a_name_of_ours_is_no_leftover()
    {
        File.WriteAllText(_folder.File("precious"), "kept");
        string link = _folder.File(IncompleteName.For("disk.raw"));
        File.CreateSymbolicLink(link, _folder.File("precious"));

        IncompleteFiles.Sweep(_folder.Path);

        Assert.Equal("kept", File.ReadAllText(_folder.File("precious")));
        Assert.NotNull(new FileInfo(link).LinkTarget);
    }

    [SuperuserFact]
    public async Task Owner_that_cannot_be_kept_is_an_error_and_nothing_is_lost()
    {
        // A user with no right to give files away, in a folder of theirs where root has put a file.
        File.WriteAllText(Target, "old");
        Shell.Run("chmod", "644", Target);
        Shell.Run("chmod", "777", _folder.Path);
        string program = CopyOfWriter();
        foreach (string how in new[] { "named", "unnamed" })
        {
            string output = Shell.Run(
                "setpriv", "--reuid=1234", "--regid=2345", "--clear-groups", "env", $"HOME={_folder.Path}", Environment.ProcessPath!, program, "replace", Target, how, "commit");
            Assert.Equal("DestinationProtected", output);
        }

        Assert.Equal("old", await File.ReadAllTextAsync(Target));
        Assert.Equal("0", Shell.Run("stat", "-c", "%u", Target));
        Assert.Empty(Hidden());
    }

    /// <summary>Where any user can read it.</summary>
    private string CopyOfWriter()
    {
        string folder = _folder.File("program/x");
        foreach (string file in Directory.GetFiles(Path.GetDirectoryName(CrashWriterProgram.Assembly)!))
        {
            File.Copy(file, Path.Combine(Path.GetDirectoryName(folder)!, Path.GetFileName(file)));
        }

        Shell.Run("chmod", "-R", "a+rX", _folder.File("program"));
        return _folder.File($"program/{Path.GetFileName(CrashWriterProgram.Assembly)}");
    }

    private string[] Hidden() => Directory.GetFiles(_folder.Path, ".*.tmp");

    private async Task<Process> Begin(string how, string? starter = null)
    {
        // Tests that run under nohup, or behind a shell's &, have signals ignored, and so would what they start.
        string[] beginning = [.. starter is not null ? [starter] : OperatingSystem.IsLinux() ? new[] { "env", "--default-signal=HUP,INT,QUIT,TERM" } : [], Environment.ProcessPath!];
        var start = new ProcessStartInfo(beginning[0], [.. beginning.Skip(1), CrashWriterProgram.Assembly, "replace", Target, how, "wait"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        Process process = Process.Start(start)!;
        Assert.Equal("begun", await process.StandardOutput.ReadLineAsync());
        return process;
    }
}

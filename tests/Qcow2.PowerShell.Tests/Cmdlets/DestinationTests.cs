using System.Diagnostics;
using System.Net.Sockets;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>Every cmdlet that writes a file, with everything that can be where the file is to be.</summary>
public sealed class DestinationTests : IDisposable
{
    private readonly ModuleSession _session = new();
    private readonly Socket? _socket = OperatingSystem.IsWindows() ? null : new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    public void Dispose()
    {
        _socket?.Dispose();
        _session.Dispose();
    }

    [Theory]
    [InlineData("Convert-Qcow2Image snapshots.qcow2 {0} -DestinationFormat Raw")]
    [InlineData("Convert-Qcow2Image snapshots.qcow2 {0} -DestinationFormat Qcow2")]
    [InlineData("Convert-Qcow2Image snapshots.qcow2 x.qcow2 -DestinationDataFile {0}")]
    [InlineData("New-Qcow2Image {0} 1MB")]
    [InlineData("New-Qcow2Image x.qcow2 1MB -DataFile {0}")]
    [InlineData("Export-Qcow2Snapshot snapshots.qcow2 -SnapshotName 1 -DestinationPath {0} -DestinationFormat Raw")]
    [InlineData("Read-Qcow2Image snapshots.qcow2 -Count 512 -OutputFile {0}")]
    [InlineData("Export-Qcow2Report snapshots.qcow2 {0}")]
    public void Only_files_are_replaced(string command)
    {
        if (OperatingSystem.IsWindows())
        {
            return; // It has no such things among its files.
        }

        MakeAll();
        foreach ((string kind, string id) in Kinds())
        {
            foreach (string path in new[] { kind, $"to-{kind}" })
            {
                foreach (string force in new[] { "", " -Force" })
                {
                    string script = string.Format(System.Globalization.CultureInfo.InvariantCulture, command, _session.File(path)) + force;
                    SessionResult result = _session.Run(script);
                    Assert.True(result.ErrorIds.SequenceEqual([id]), $"{script}: {string.Join(" | ", result.Errors)}");
                    Assert.Equal(id == "DestinationIsDevice", result.Errors[0].Exception.Message.Contains("-NoCreate -DestinationFormat Raw", StringComparison.Ordinal));
                    Assert.DoesNotContain("Use -Force", result.Errors[0].Exception.Message, StringComparison.Ordinal);
                }
            }
        }

        // A file is replaced through the link to it, and nothing is left beside it.
        Assert.Equal(["DestinationExists"], _session.Run(string.Format(System.Globalization.CultureInfo.InvariantCulture, command, _session.File("to-file"))).ErrorIds);
        Assert.Empty(_session.Run(string.Format(System.Globalization.CultureInfo.InvariantCulture, command, _session.File("to-file")) + " -Force").Errors);
        Assert.Equal("there/file", new FileInfo(_session.File("to-file")).LinkTarget);
        Assert.NotEqual("old", File.ReadAllText(_session.File("there/file")));
        Assert.Equal(["file"], Directory.GetFileSystemEntries(_session.File("there")).Select(Path.GetFileName));
        Assert.Empty(Directory.GetFiles(_session.Folder.Path, ".*.tmp"));
    }

    [Fact]
    public void Two_names_of_one_destination_are_one()
    {
        if (OperatingSystem.IsWindows())
        {
            return; // Links need a privilege there.
        }

        MakeAll();
        SessionResult result = _session.Run("@([pscustomobject]@{ LiteralPath = 'snapshots.qcow2'; D = 'there/file' }, [pscustomobject]@{ LiteralPath = 'snapshots.qcow2'; D = 'to-file' }) | Read-Qcow2Image -Count 1 -OutputFile { $_.D } -Force");
        Assert.Equal(["DestinationNotUnique"], result.ErrorIds);
    }

    [Theory]
    [InlineData("'a.qcow2', 'b.qcow2' | ForEach-Object { [pscustomobject]@{ Path = $_ } } | New-Qcow2Image -SizeBytes 1MB -DataFile data -Force | Out-Null")]
    [InlineData("'a.qcow2', 'data' | ForEach-Object { [pscustomobject]@{ Path = $_ } } | New-Qcow2Image -SizeBytes 1MB -DataFile data -Force | Out-Null")]
    [InlineData("'a', 'b' | ForEach-Object { [pscustomobject]@{ LiteralPath = 'snapshots.qcow2'; D = \"$_.qcow2\" } } | Convert-Qcow2Image -DestinationPath { $_.D } -DestinationDataFile data -Force")]
    public void Data_file_that_was_just_written_is_not_given_to_another_image(string script)
    {
        _session.With("snapshots");
        SessionResult result = _session.Run(script);
        Assert.Equal(["DestinationNotUnique"], result.ErrorIds);
        Assert.Empty(_session.Run("Compare-Qcow2Image a.qcow2 a.qcow2").Errors);
        Assert.False(File.Exists(_session.File("b.qcow2")));
    }

    [Theory]
    [InlineData("pipe", "DestinationNotFile")]
    [InlineData("/dev/null", "DestinationNotFile")]
    [InlineData("folder", "DestinationIsFolder")]
    [InlineData("missing", "PathNotFound")]
    public void Nothing_but_a_disk_is_written_into(string path, string id)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        MakeAll();
        Assert.Equal([id], _session.Run($"Convert-Qcow2Image snapshots.qcow2 {path} -DestinationFormat Raw -NoCreate").ErrorIds);
    }

    private static IEnumerable<(string Kind, string Id)> Kinds()
    {
        yield return ("folder", "DestinationIsFolder");
        yield return ("pipe", "DestinationNotFile");
        yield return ("socket", "DestinationNotFile");
        yield return ("null", "DestinationNotFile");
        if (CanMakeNodes)
        {
            yield return ("disk", "DestinationIsDevice");
        }
    }

    private static bool CanMakeNodes => OperatingSystem.IsLinux() && Environment.UserName == "root";

    private void MakeAll()
    {
        _session.With("snapshots");
        Directory.CreateDirectory(_session.File("folder"));
        Directory.CreateDirectory(_session.File("there"));
        File.WriteAllText(_session.File("there/file"), "old");
        File.CreateSymbolicLink(_session.File("to-file"), "there/file");
        Run("mkfifo", _session.File("pipe"));
        _socket!.Bind(new UnixDomainSocketEndPoint(_session.File("socket")));
        File.CreateSymbolicLink(_session.File("null"), "/dev/null");
        if (CanMakeNodes)
        {
            Run("mknod", _session.File("disk"), "b", "7", "250"); // A loop device's number; nothing opens it.
        }

        foreach ((string kind, _) in Kinds())
        {
            File.CreateSymbolicLink(_session.File($"to-{kind}"), kind);
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}

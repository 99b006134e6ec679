using System.Text;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>What Windows is given and gives, as far as that is logic.</summary>
public sealed class WindowsPathTests
{
    private static readonly string Long = new('n', 240);

    public static TheoryData<string, string> Paths => new()
    {
        { @"C:\disk.qcow2", @"C:\disk.qcow2" },
        { $@"C:\{Long}", $@"C:\{Long}" },
        { $@"C:\images\{Long}", $@"\\?\C:\images\{Long}" },
        { $@"\\server\share\{Long}", $@"\\?\UNC\server\share\{Long}" },
        { $@"\\?\C:\images\{Long}", $@"\\?\C:\images\{Long}" },
        { $@"\\.\pipe\{Long}", $@"\\.\pipe\{Long}" },
    };

    [Theory]
    [MemberData(nameof(Paths))]
    public void Long_paths_are_given_to_the_host_in_its_own_form(string path, string expected) => Assert.Equal(expected, WindowsPath.ForHost(path));

    [Fact]
    public void Streams_are_read_as_the_host_writes_them()
    {
        byte[] data = new byte[600];
        BitConverter.GetBytes(26L).CopyTo(data, 0);
        Encoding.Unicode.GetBytes(":Zone.Identifier:$DATA").CopyTo(data, 8);
        Assert.Equal((":Zone.Identifier:$DATA", 26L), WindowsStreams.Read(data));
    }

    [Theory]
    [InlineData(0, 32, 0)] // It succeeds at once: nothing is waited for.
    [InlineData(3, 32, 0)]
    [InlineData(1000, 32, 32)]
    public void Waiting_is_bounded_and_only_for_what_passes(int failures, int error, int expected)
    {
        TimeSpan now = TimeSpan.Zero;
        int calls = 0;
        var patience = new Patience(TimeSpan.FromSeconds(10), () => now, pause => now += pause);
        int result = patience.Try(() => calls++ < failures ? error : 0, code => code == 32);
        Assert.Equal(expected, result);
        Assert.InRange(now, TimeSpan.Zero, TimeSpan.FromSeconds(10.25));
        Assert.Equal(1, new Patience(TimeSpan.FromSeconds(10), () => now, _ => Assert.Fail("It never passes.")).Try(() => 1, code => code == 32));
    }

    [WindowsFact]
    public void File_is_renamed_by_its_handle_and_never_over_another_unasked()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("there"), "there");
        using var file = LocalFile.CreateNew(folder.File("new"), folder.File("shown"), isPrivate: false);
        Assert.Contains(WindowsFile.TryRename(file.Handle, folder.File("there"), replaces: false), new[] { WindowsFile.ErrorAlreadyExists, WindowsFile.ErrorFileExists });
        Assert.Equal(0, WindowsFile.TryRename(file.Handle, folder.File("final"), replaces: false));
        Assert.Equal(["final", "there"], Directory.GetFiles(folder.Path).Select(Path.GetFileName).Order());
    }

    [WindowsFact]
    public void Path_longer_than_MAX_PATH_is_replaced_and_keeps_what_it_had()
    {
        using var folder = new TempFolder();
        string deep = Path.Combine(folder.Path, new string('a', 120), new string('b', 120));
        Directory.CreateDirectory(deep);
        string path = Path.Combine(deep, "disk.raw");
        File.WriteAllText(path, "old");
        var created = new DateTime(2019, 4, 5, 6, 7, 8, DateTimeKind.Utc);
        File.SetCreationTimeUtc(path, created);
        bool canBeSet = File.GetCreationTimeUtc(path) == created; // Not under Wine.
        File.SetAttributes(path, FileAttributes.Hidden);
        using (var replacement = ReplacementFile.Create(path, overwrite: true))
        {
            replacement.Storage.Write(0, "new"u8);
            replacement.Commit();
        }

        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal(canBeSet, File.GetCreationTimeUtc(path) == created);
        Assert.True(File.GetAttributes(path).HasFlag(FileAttributes.Hidden));
        Assert.Equal([path], Directory.GetFiles(deep));
    }

    /// <summary>Wine has no streams.</summary>
    [WindowsFact]
    public void Mark_of_a_download_stays_with_the_file()
    {
        using var folder = new TempFolder();
        string path = folder.File("disk.raw");
        File.WriteAllText(path, "old");
        try
        {
            File.WriteAllText(path + ":Zone.Identifier", "[ZoneTransfer]");
        }
        catch (IOException)
        {
            return; // A file system without streams.
        }

        if (WindowsStreams.Of(path).Count == 0)
        {
            return;
        }

        using (var replacement = ReplacementFile.Create(path, overwrite: true))
        {
            replacement.Commit();
        }

        Assert.Equal("[ZoneTransfer]", File.ReadAllText(path + ":Zone.Identifier"));
    }
}

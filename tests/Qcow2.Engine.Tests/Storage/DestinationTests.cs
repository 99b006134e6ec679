using System.Net.Sockets;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>A new file takes the place of files only; a link stands for what it leads to.</summary>
public sealed class DestinationTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly List<IDisposable> _open = [];

    public void Dispose()
    {
        _open.ForEach(one => one.Dispose());
        _folder.Dispose();
    }

    [UnixTheory]
    [InlineData("nothing", FileKind.None, null)]
    [InlineData("file", FileKind.Regular, null)]
    [InlineData("folder", FileKind.Folder, Qcow2ErrorCode.DestinationIsFolder)]
    [InlineData("folder/", FileKind.Folder, Qcow2ErrorCode.DestinationIsFolder)]
    [InlineData("nothing/", FileKind.Folder, Qcow2ErrorCode.DestinationIsFolder)]
    [InlineData("pipe", FileKind.Pipe, Qcow2ErrorCode.DestinationNotFile)]
    [InlineData("socket", FileKind.Socket, Qcow2ErrorCode.DestinationNotFile)]
    [InlineData("/dev/null", FileKind.CharacterDevice, Qcow2ErrorCode.DestinationNotFile)]
    public void Every_kind_is_known_by_its_path_and_through_a_link(string name, FileKind kind, Qcow2ErrorCode? refusal)
    {
        string path = Make(name);
        string link = _folder.File("link");
        File.CreateSymbolicLink(link, path);

        foreach (string asked in new[] { path, link })
        {
            var destination = Destination.At(asked);
            Assert.Equal(kind, destination.Kind);
            if (refusal is Qcow2ErrorCode code)
            {
                Assert.Equal(code, Assert.Throws<Qcow2Exception>(() => destination.EnsureReplaceable(overwrite: true)).Code);
                Assert.Equal(code, Assert.Throws<Qcow2Exception>(() => ReplacementFile.Create(asked, overwrite: true)).Code);
                Assert.Equal(code, Assert.Throws<Qcow2Exception>(() => ReplacementFile.Create(asked, overwrite: false)).Code);
            }
            else
            {
                Assert.Equal(path, destination.Target);
                destination.EnsureReplaceable(overwrite: true);
            }
        }
    }

    [SuperuserFact]
    public void Block_device_is_never_replaced_and_the_error_says_how_it_is_written()
    {
        string node = _folder.File("node");
        Shell.Run("mknod", node, "b", "7", "250"); // A loop device's number; nothing opens it.
        File.CreateSymbolicLink(_folder.File("link"), node);

        foreach (string path in new[] { node, _folder.File("link") })
        {
            var error = Assert.Throws<Qcow2Exception>(() => ReplacementFile.Create(path, overwrite: true));
            Assert.Equal(Qcow2ErrorCode.DestinationIsDevice, error.Code);
            Assert.Contains("-NoCreate", error.Message, StringComparison.Ordinal);
            Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        }

        Assert.Equal(FileKind.BlockDevice, Destination.At(node).Kind);
    }

    [LinuxFact]
    public void File_that_a_link_leads_to_is_replaced_where_it_lies_and_the_link_stays()
    {
        Directory.CreateDirectory(_folder.File("other"));
        string target = _folder.File("other/target");
        string link = _folder.File("link");
        File.WriteAllText(target, "old");
        File.CreateSymbolicLink(_folder.File("middle"), "other/target");
        File.CreateSymbolicLink(link, "middle");

        Assert.Equal(Qcow2ErrorCode.DestinationExists, Assert.Throws<Qcow2Exception>(() => ReplacementFile.Create(link, overwrite: false)).Code);
        Write(link, overwrite: true);

        Assert.Equal("middle", new FileInfo(link).LinkTarget);
        Assert.Equal("new", File.ReadAllText(target));
        Assert.Null(new FileInfo(target).LinkTarget);
        Assert.Single(Directory.GetFiles(_folder.File("other")));
    }

    [LinuxFact]
    public void Link_to_nothing_makes_the_file_that_it_names()
    {
        Directory.CreateDirectory(_folder.File("a/b"));
        File.CreateSymbolicLink(_folder.File("to-b"), "a/b");
        File.CreateSymbolicLink(_folder.File("link"), "to-b/../made"); // a/made, and not made

        Write(_folder.File("link"), overwrite: false);

        Assert.Equal("new", File.ReadAllText(_folder.File("a/made")));
        Assert.Equal("to-b/../made", new FileInfo(_folder.File("link")).LinkTarget);
    }

    [LinuxFact]
    public void Links_in_a_circle_and_files_without_a_name_are_errors()
    {
        File.CreateSymbolicLink(_folder.File("circle"), "circle");
        Assert.Contains("circle", Assert.Throws<IOException>(() => Destination.At(_folder.File("circle"))).Message, StringComparison.Ordinal);

        using FileStream open = File.Create(_folder.File("gone"));
        File.Delete(_folder.File("gone"));
        string path = $"/proc/self/fd/{open.SafeFileHandle.DangerousGetHandle()}";
        Assert.Contains("no name", Assert.Throws<IOException>(() => Destination.At(path)).Message, StringComparison.Ordinal);
    }

    [LinuxFact]
    public void Link_that_leads_elsewhere_by_the_end_is_not_followed()
    {
        File.WriteAllText(_folder.File("a"), "a");
        File.WriteAllText(_folder.File("b"), "b");
        File.CreateSymbolicLink(_folder.File("link"), "a");
        using (var file = ReplacementFile.Create(_folder.File("link"), overwrite: true))
        {
            file.Storage.Write(0, "new"u8);
            File.Delete(_folder.File("link"));
            File.CreateSymbolicLink(_folder.File("link"), "b");
            Assert.Throws<IOException>(file.Commit);
        }

        Assert.Equal("a", File.ReadAllText(_folder.File("a")));
        Assert.Equal("b", File.ReadAllText(_folder.File("b")));
        Assert.Equal(3, Directory.GetFileSystemEntries(_folder.Path).Length);
    }

    [LinuxFact]
    public void File_is_known_again_whatever_links_lead_to_it_or_its_folder()
    {
        Directory.CreateDirectory(_folder.File("folder"));
        File.CreateSymbolicLink(_folder.File("alias"), "folder");
        File.CreateSymbolicLink(_folder.File("link"), "alias/disk");
        string[] ways = [_folder.File("folder/disk"), _folder.File("alias/disk"), _folder.File("link")];

        Assert.Single(ways.Select(path => Destination.At(path).Key).Distinct());
        File.WriteAllText(ways[0], "");
        Assert.Single(ways.Select(path => Destination.At(path).Key).Distinct());
    }

    [LinuxFact]
    public void Image_is_not_its_own_data_file_whatever_leads_to_it()
    {
        Directory.CreateDirectory(_folder.File("folder"));
        File.CreateSymbolicLink(_folder.File("alias"), "folder");
        File.CreateSymbolicLink(_folder.File("folder/link"), "image.qcow2");
        string image = _folder.File("folder/image.qcow2");

        foreach (string data in new[] { "image.qcow2", "link", "../alias/image.qcow2", "Image.QCOW2" })
        {
            Assert.Throws<ArgumentException>(() => Qcow2Image.Create(image, 1 << 20, new Qcow2CreateOptions { DataFile = data }));
            Assert.Throws<ArgumentException>(() => Qcow2Image.Create(image, 1 << 20, new Qcow2CreateOptions { DataFile = data }, overwrite: true));
            Assert.Single(Directory.GetFileSystemEntries(_folder.File("folder")));
        }
    }

    [LinuxFact]
    public unsafe void Complete_file_has_its_writers_lock_while_it_has_a_hidden_name()
    {
        string path = _folder.File("disk.raw");
        using IncompleteFile file = IncompleteFile.Create(path, path, isPrivate: false, canHaveNoName: true, (_, _) => { });
        File.WriteAllText(path, "came to be there");
        Assert.False(file.TryMoveToNew());

        bool isLocked = false;
        file.MoveOver(_ =>
        {
            fixed (byte* now = System.Text.Encoding.UTF8.GetBytes(path + "\0")) // The names are exchanged already.
            {
                using var other = new Microsoft.Win32.SafeHandles.SafeFileHandle((nint)LibC.Open(now, LibC.OpenToLookAt), ownsHandle: true);
                isLocked = LibC.LockFile(other, LibC.LockAlone) != 0;
            }

            return true;
        });

        Assert.True(isLocked);
        Assert.Empty(File.ReadAllText(path));
    }

    [UnixTheory]
    [InlineData("pipe")]
    [InlineData("socket")]
    [InlineData("folder")]
    public void What_takes_the_files_place_meanwhile_is_not_replaced(string kind)
    {
        string path = _folder.File("disk.raw");
        File.WriteAllText(path, "old");
        using (var file = ReplacementFile.Create(path, overwrite: true))
        {
            file.Storage.Write(0, "new"u8);
            File.Delete(path);
            string other = Make(kind);
            Directory.Move(other, path);
            Assert.Throws<Qcow2Exception>(file.Commit);
        }

        Assert.NotEqual(FileKind.Regular, Destination.At(path).Kind);
        Assert.Single(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Theory]
    [InlineData(@"\\.\PhysicalDrive0", FileKind.BlockDevice)]
    [InlineData(@"\\.\C:", FileKind.BlockDevice)]
    [InlineData(@"\\?\Volume{0d5f6b7e-0000-0000-0000-100000000000}", FileKind.BlockDevice)]
    [InlineData(@"\\?\Volume{0d5f6b7e-0000-0000-0000-100000000000}\disk.raw", null)]
    [InlineData(@"\\?\C:\disks\disk.raw", null)]
    [InlineData(@"\\?\UNC\server\share\disk.raw", null)]
    [InlineData(@"\\.\pipe\name", FileKind.Pipe)]
    [InlineData(@"\\.\NUL", FileKind.CharacterDevice)]
    [InlineData(@"C:\disks\NUL", FileKind.CharacterDevice)]
    [InlineData(@"C:\disks\con.raw", FileKind.CharacterDevice)]
    [InlineData(@"C:\disks\Com1", FileKind.CharacterDevice)]
    [InlineData(@"C:\disks\COM10.raw", null)]
    [InlineData(@"C:\nul\disk.raw", null)]
    [InlineData(@"\\server\share\console.raw", null)]
    public void Windows_devices_are_known_by_name(string path, FileKind? kind) => Assert.Equal(kind, WindowsDevices.KindOf(path));

    private static void Write(string path, bool overwrite)
    {
        using var file = ReplacementFile.Create(path, overwrite);
        file.Storage.Write(0, "new"u8);
        file.Commit();
    }

    private string Make(string name)
    {
        string path = name.StartsWith('/') ? name : Path.Combine(_folder.Path, name);
        switch (name)
        {
            case "file":
                File.WriteAllText(path, "old");
                break;
            case "folder" or "folder/":
                Directory.CreateDirectory(path);
                break;
            case "pipe":
                Shell.Run("mkfifo", path);
                break;
            case "socket":
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                _open.Add(socket);
                socket.Bind(new UnixDomainSocketEndPoint(path));
                break;
        }

        return path;
    }
}

using System.Globalization;
using System.Runtime.Versioning;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>A file that is replaced keeps what it had beside its bytes, whichever way the new one is made.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class FileTraitsTests : IDisposable
{
    private const string Somebody = "64055";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [LinuxFact("setfacl", "getfacl")]
    public void Access_list_and_its_mask_are_kept()
    {
        foreach (bool canHaveNoName in new[] { true, false })
        {
            string path = Old("list");
            Shell.Run("chmod", "640", path);
            Shell.Run("setfacl", "-m", $"u:{Somebody}:rw,g::r,m::rw", path);
            string before = AccessOf(path);

            Replace(path, canHaveNoName, file => Assert.Equal(before, AccessOf(file)));

            Assert.Equal(before, AccessOf(path));
            Assert.Contains("group::r--", before, StringComparison.Ordinal);
        }
    }

    [LinuxFact("setfattr", "getfattr")]
    public void Extended_attributes_are_kept()
    {
        foreach (bool canHaveNoName in new[] { true, false })
        {
            string path = Old("attributes");
            Shell.Run("setfattr", "-n", "user.origin", "-v", "a b", path);
            Shell.Run("setfattr", "-n", "user.empty", path);
            Shell.Run("chmod", "440", path); // Not to be set any more, once the mode is there.

            Replace(path, canHaveNoName);

            Assert.Equal("a b", Shell.Run("getfattr", "--only-values", "-n", "user.origin", path));
            Assert.Contains("user.empty", Shell.Run("getfattr", "--absolute-names", path), StringComparison.Ordinal);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.GroupRead, File.GetUnixFileMode(path));
        }
    }

    [LinuxFact("setfattr")]
    public unsafe void Names_of_attributes_that_are_no_text_are_kept()
    {
        string path = Old("names");
        byte[] bytes = [.. "user."u8, 0xff, 0xfe, 0];
        using (LocalFile file = LocalFile.OpenReadWrite(path))
        {
            Shell.Run("setfattr", "-n", "user.ä", "-v", "text", path);
            fixed (byte* key = bytes)
            {
                byte value = 7;
                Assert.Equal(0, LibC.SetAttribute(file.Handle, key, &value, 1, 0));
            }
        }

        Replace(path, canHaveNoName: true);

        using LocalFile made = LocalFile.OpenRead(path);
        fixed (byte* key = bytes)
        {
            byte value = 0;
            Assert.Equal(1, LibC.GetAttribute(made.Handle, key, &value, 1));
            Assert.Equal(7, value);
        }

        Dictionary<string, byte[]> all = ExtendedAttributes.Read(made.Handle);
        Assert.Equal(2, all.Count);
        Assert.Contains("user.ä", all.Keys.Select(ExtendedAttributes.Shown));
    }

    [SuperuserFact("setfattr", "getfattr")]
    public void Owner_group_and_labels_are_kept()
    {
        foreach (bool canHaveNoName in new[] { true, false })
        {
            string path = Old("owner");
            Shell.Run("chown", "1234:2345", path);
            Shell.Run("chmod", "604", path);
            Shell.Run("setfattr", "-n", "trusted.backup", "-v", "1", path);
            Shell.Run("setfattr", "-n", "security.test", "-v", "system_u:object_r:svirt_image_t:s0", path);

            Replace(path, canHaveNoName);

            Assert.Equal("1234 2345 604", Shell.Run("stat", "-c", "%u %g %a", path));
            Assert.Equal("1", Shell.Run("getfattr", "--only-values", "-n", "trusted.backup", path));
            Assert.Equal("system_u:object_r:svirt_image_t:s0", Shell.Run("getfattr", "--only-values", "-n", "security.test", path));
        }
    }

    [LinuxFact("setfacl", "getfacl")]
    public void Default_list_of_the_folder_is_for_new_files_only()
    {
        Shell.Run("setfacl", "-d", "-m", $"u:{Somebody}:rwx,g::rwx,o::r", _folder.Path);
        string plain = _folder.File("plain");
        File.WriteAllText(plain, "");
        string old = _folder.File("old");
        File.WriteAllText(old, "old");
        Shell.Run("setfacl", "-b", old);
        Shell.Run("chmod", "600", old);

        foreach (bool canHaveNoName in new[] { true, false })
        {
            string made = _folder.File($"made-{canHaveNoName}");
            Replace(made, canHaveNoName);
            Assert.Equal(AccessOf(plain), AccessOf(made));

            string before = AccessOf(old);
            Replace(old, canHaveNoName, file => Assert.Equal(before, AccessOf(file)));
            Assert.Equal(before, AccessOf(old));
            Assert.DoesNotContain(Somebody, before, StringComparison.Ordinal);
        }
    }

    [LinuxFact]
    public void Rights_that_are_taken_away_meanwhile_are_not_given_back()
    {
        foreach (bool canHaveNoName in new[] { true, false })
        {
            string path = Old("taken");
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
            using (var file = ReplacementFile.Create(path, overwrite: true, canHaveNoName))
            {
                file.Storage.Write(0, "new"u8);
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
                file.Commit();
            }

            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        }
    }

    [SuperuserFact("chattr")]
    public void Protected_file_is_refused_before_any_work()
    {
        string path = Old("protected");
        foreach (string flag in new[] { "i", "a" })
        {
            try
            {
                Shell.Run("chattr", $"+{flag}", path);
            }
            catch (Xunit.Sdk.XunitException)
            {
                return; // A file system without such flags.
            }

            try
            {
                Assert.Equal(Qcow2ErrorCode.DestinationProtected, Assert.Throws<Qcow2Exception>(() => ReplacementFile.Create(path, overwrite: true)).Code);
            }
            finally
            {
                Shell.Run("chattr", $"-{flag}", path);
            }
        }

        Assert.Equal("old", File.ReadAllText(path));
    }

    [SuperuserFact]
    public void File_that_is_a_mount_point_is_refused_before_any_work()
    {
        string path = Old("mounted");
        Shell.Run("mount", "--bind", Old("other"), path);
        try
        {
            var error = Assert.Throws<Qcow2Exception>(() => ReplacementFile.Create(path, overwrite: true));
            Assert.Equal(Qcow2ErrorCode.DestinationProtected, error.Code);
            Assert.Contains("mount point", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            Shell.Run("umount", path);
        }

        Replace(path, canHaveNoName: true);
    }

    [LinuxFact("setfacl", "getfacl", "setfattr", "getfattr")]
    public void Compacted_image_and_replaced_data_file_keep_theirs()
    {
        string image = _folder.File("image.qcow2");
        Qcow2Image.Create(image, 1 << 20, new Qcow2CreateOptions { DataFile = "data" }).Dispose();
        string data = _folder.File("data");
        string compacted = _folder.File("compacted.qcow2");
        Qcow2Image.Create(compacted, 1 << 20).Dispose();
        string[] files = [image, data, compacted];
        foreach (string file in files)
        {
            Shell.Run("setfacl", "-m", $"u:{Somebody}:rw", file);
            Shell.Run("setfattr", "-n", "user.origin", "-v", "mine", file);
        }

        string[] before = [.. files.Select(AccessOf)];
        Qcow2Image.Create(image, 2 << 20, new Qcow2CreateOptions { DataFile = "data" }, overwrite: true).Dispose();
        Assert.True(ImageOptimizer.Optimize(compacted, new ImageOptimizeOptions { ReplacesAlways = true }).IsReplaced);

        Assert.Equal(before, files.Select(AccessOf));
        Assert.All(files, file => Assert.Equal("mine", Shell.Run("getfattr", "--only-values", "-n", "user.origin", file)));
    }

    private static string AccessOf(string path) => Shell.Run("getfacl", "-n", "-c", "-E", "-p", path);

    private static void Replace(string path, bool canHaveNoName, Action<string>? whileIncomplete = null)
    {
        using var file = ReplacementFile.Create(path, overwrite: true, canHaveNoName);
        file.Storage.Write(0, "new"u8);
        foreach (string hidden in Directory.GetFiles(Path.GetDirectoryName(path)!, ".*.tmp"))
        {
            whileIncomplete?.Invoke(hidden);
        }

        file.Commit();
        Assert.Equal("new", File.ReadAllText(path));
    }

    private string Old(string name)
    {
        string path = _folder.File(name + Guid.NewGuid().ToString("N", CultureInfo.InvariantCulture));
        File.WriteAllText(path, "old");
        return path;
    }
}

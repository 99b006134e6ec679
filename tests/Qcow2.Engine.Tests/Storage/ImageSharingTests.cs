using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>The share modes for Windows. Most of it is logic, which these tests try on any host.</summary>
public sealed class ImageSharingTests
{
    [Theory]
    [InlineData(FileAccess.Read, false, FileShare.Read | FileShare.Delete)]
    [InlineData(FileAccess.Read, true, FileShare.ReadWrite | FileShare.Delete)]
    [InlineData(FileAccess.ReadWrite, false, FileShare.Read)]
    [InlineData(FileAccess.ReadWrite, true, FileShare.ReadWrite | FileShare.Delete)]
    public void Windows_share_modes(FileAccess access, bool forceShare, FileShare expected)
    {
        Assert.Equal(expected, ImageSharing.ModeFor(access, forceShare, isWindows: true));
        Assert.Equal(ImageSharing.All, ImageSharing.ModeFor(access, forceShare, isWindows: false));
    }

    [Theory]
    [InlineData(FileAccess.Read, false, FileAccess.Read, false, true)] // Readers get on with each other,
    [InlineData(FileAccess.Read, false, FileAccess.ReadWrite, false, false)] // not with a writer,
    [InlineData(FileAccess.ReadWrite, false, FileAccess.ReadWrite, false, false)] // nor does that with another.
    [InlineData(FileAccess.Read, true, FileAccess.ReadWrite, false, true)] // Who takes what it gets reads beside a writer,
    [InlineData(FileAccess.Read, true, FileAccess.Read, false, true)] // and beside a reader.
    public void Windows_lets_in_whom_the_locks_of_Linux_let_in(FileAccess one, bool oneForces, FileAccess other, bool otherForces, bool together)
    {
        FileShare oneShares = ImageSharing.ModeFor(one, oneForces, isWindows: true), otherShares = ImageSharing.ModeFor(other, otherForces, isWindows: true);
        Assert.Equal(together, Allows(oneShares, other) && Allows(otherShares, one));
    }

    [Fact]
    public void Sharing_violations_are_told_from_other_failures()
    {
        var conflict = new IOException("in use", unchecked((int)0x8007_0020));
        Assert.True(ImageSharing.IsConflict(conflict, isWindows: true));
        Assert.False(ImageSharing.IsConflict(conflict, isWindows: false));
        Assert.False(ImageSharing.IsConflict(new IOException("full", unchecked((int)0x8007_0070)), isWindows: true));
        Assert.False(ImageSharing.IsConflict(new UnauthorizedAccessException(), isWindows: true));
    }

    [Theory]
    [InlineData(null, FileShare.None, ImageLockState.Unlocked)]
    [InlineData(FileAccess.ReadWrite, FileShare.Read, ImageLockState.HeldForWriting)] // A writer of this module's, and QEMU.
    [InlineData(FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, ImageLockState.HeldForWriting)]
    [InlineData(FileAccess.Read, FileShare.Read | FileShare.Delete, ImageLockState.HeldForReading)] // A reader of this module's.
    [InlineData(FileAccess.Read, FileShare.ReadWrite, ImageLockState.Unlocked)] // Who takes what it gets, as Get-Content does.
    public void State_is_found_by_what_can_be_opened(FileAccess? holder, FileShare shares, ImageLockState expected)
        => Assert.Equal(expected, WindowsSharing.StateFor((access, share) => holder is not FileAccess held || (Allows(shares, access) && Allows(share, held))));

    [Fact]
    public void State_that_cannot_be_tried_is_unlocked() => Assert.Equal(ImageLockState.Unlocked, WindowsSharing.StateFor((_, _) => null));

    [Fact]
    public void Users_of_a_file_are_named()
    {
        Assert.Equal("", WindowsFileUsers.Describe([(7, "pwsh")], own: 7));
        Assert.Equal(" It is open in qemu-system-x86_64 (process 12), process 13.", WindowsFileUsers.Describe([(7, "pwsh"), (12, "qemu-system-x86_64"), (13, null)], own: 7));
        Assert.Equal(" It is open in a (process 1), b (process 2), c (process 3) and 2 more.",
            WindowsFileUsers.Describe([(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")], own: 7));
    }

    [Theory]
    [InlineData(true, true, true, "IsReadOnly")]
    [InlineData(true, true, false, "chmod")]
    [InlineData(true, false, true, "Get-Acl")]
    [InlineData(false, false, false, "ls -l")]
    public void Denied_access_names_the_file_and_a_way_on(bool isForWriting, bool isReadOnly, bool isWindows, string advice)
    {
        string message = AccessRefusal.Describe("disk.qcow2", isForWriting, isReadOnly, isWindows);
        Assert.StartsWith("disk.qcow2: ", message, StringComparison.Ordinal);
        Assert.Contains(advice, message, StringComparison.Ordinal);
        Assert.Equal(isForWriting && isReadOnly, message.Contains("read-only", StringComparison.Ordinal));
    }

    [Fact]
    public void Read_only_file_is_refused_to_writers_by_what_it_is()
    {
        using var folder = new TempFolder();
        string path = folder.File("image.qcow2");
        Qcow2Image.Create(path, 1 << 20).Dispose();
        File.SetAttributes(path, FileAttributes.ReadOnly);
        try
        {
            if (MayWrite(path))
            {
                return; // The superuser may write everything, also under Wine.
            }

            var error = Assert.Throws<UnauthorizedAccessException>(() => Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true }));
            Assert.StartsWith($"{path}: the file is read-only", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.SetAttributes(path, FileAttributes.Normal);
        }
    }

    [WindowsFact]
    public void File_that_a_scanner_has_open_for_a_moment_is_waited_for()
    {
        using var folder = new TempFolder();
        string path = folder.Write("disk.raw", "old"u8);
        var scanner = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite); // It does not share the deletion.
        var ends = new Thread(() => // The pool's threads may be busy with other tests.
        {
            Thread.Sleep(200);
            scanner.Dispose();
        });
        ends.Start();
        using (var replacement = ReplacementFile.Create(path, overwrite: true))
        {
            replacement.Storage.Write(0, "new"u8);
            replacement.Commit();
        }

        ends.Join();
        Assert.Equal("new", File.ReadAllText(path));
    }

    [WindowsFact]
    public void Image_that_another_writes_is_said_to_be_so()
    {
        using var folder = new TempFolder();
        string path = folder.File("image.qcow2");
        Qcow2Image.Create(path, 1 << 20).Dispose();
        Assert.Equal(ImageLockState.Unlocked, Qcow2ImageInfo.Read(path).LockState);
        using (new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read))
        {
            // Where Windows says who has the file open, this process does not count.
            Assert.Contains(Qcow2ImageInfo.Read(path).LockState, new[] { ImageLockState.HeldForWriting, ImageLockState.Unlocked });
            var error = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(path));
            Assert.Equal(Qcow2ErrorCode.ImageLocked, error.Code);
            Assert.True(error.CanBeShared);
            Qcow2Image.Open(path, new Qcow2OpenOptions { ForceShare = true }).Dispose();
        }

        using (new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.None))
        {
            var error = Assert.Throws<Qcow2Exception>(() => Qcow2ImageInfo.Read(path));
            Assert.Equal(Qcow2ErrorCode.ImageLocked, error.Code);
            Assert.False(error.CanBeShared);
            Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        }
    }

    private static bool MayWrite(string path)
    {
        try
        {
            new FileStream(path, FileMode.Open, FileAccess.ReadWrite).Dispose();
            return true;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
    }

    // The rule of Windows: what one wants, the other must share. FileAccess and FileShare have the same bits for it.
    private static bool Allows(FileShare share, FileAccess access) => ((int)access & ~(int)share) == 0;
}

using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>The share modes for Windows. What Windows makes of them is not tried here: these tests run on any host.</summary>
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

    // The rule of Windows: what one wants, the other must share. FileAccess and FileShare have the same bits for it.
    private static bool Allows(FileShare share, FileAccess access) => ((int)access & ~(int)share) == 0;
}

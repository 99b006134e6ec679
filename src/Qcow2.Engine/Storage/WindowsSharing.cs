using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>What share modes say of a file on Windows, and what is said of it to people.</summary>
internal static class WindowsSharing
{
    private const FileShare NoWriter = FileShare.Read | FileShare.Delete;

    /// <summary>How other programs hold a file that is open here.</summary>
    /// <remarks>
    /// Nothing but an attempt shows it, and that could be in the way of a program that opens the file in the same moment. So nothing is tried where the
    /// file system says that nobody else has the file open.
    /// </remarks>
    internal static ImageLockState Probe(LocalFile file)
    {
        int own = WindowsFileUsers.OwnId;
        return WindowsFileUsers.Of(file.Handle) is int[] users && users.All(user => user == own)
            ? ImageLockState.Unlocked
            : StateFor((access, share) => TryOpen(file.Path, access, share));
    }

    /// <summary>Whether somebody has a file open and does not share writing it. Who shares that takes what it gets, and keeps the old file if it is replaced.</summary>
    internal static bool IsReliedOn(string path) => TryOpen(path, FileAccess.Write, ImageSharing.All) == false;

    /// <summary>Finds the state by what can be opened.</summary>
    /// <param name="canOpen">Whether the file can be opened for this, with that shared; null if that is not known, for want of rights for one.</param>
    internal static ImageLockState StateFor(Func<FileAccess, FileShare, bool?> canOpen)
        => canOpen(FileAccess.Read, NoWriter) == false ? ImageLockState.HeldForWriting // Somebody has it open for writing.
            : canOpen(FileAccess.Write, ImageSharing.All) == false ? ImageLockState.HeldForReading // Somebody relies on nobody writing it.
            : ImageLockState.Unlocked;

    /// <summary>The error of a file that another program keeps this one from opening.</summary>
    /// <param name="path">Full path.</param>
    /// <param name="refusal">What is said if only this use is refused.</param>
    /// <param name="access">The use.</param>
    /// <param name="share">What it was to share.</param>
    /// <param name="cause">What the host said; null where .NET was not asked.</param>
    internal static Qcow2Exception Conflict(string path, string refusal, FileAccess access, FileShare share, Exception? cause)
    {
        bool isShared = access != FileAccess.Read || (share != ImageSharing.All && TryOpen(path, FileAccess.Read, ImageSharing.All) == true);
        string message = isShared ? refusal : ImageLock.OpeningRefused;
        return new Qcow2Exception(Qcow2ErrorCode.ImageLocked, message + WindowsFileUsers.Describe(path), cause) { CanBeShared = isShared && refusal == ImageLock.ReadingRefused }.At(path);
    }

    private static bool? TryOpen(string path, FileAccess access, FileShare share)
    {
        uint rights = access == FileAccess.Read ? WindowsFile.GenericRead : WindowsFile.GenericWrite;
        using SafeFileHandle handle = WindowsFile.TryOpen(path, rights, share, WindowsFile.OpenExisting, out int error);
        return error == 0 ? true : ImageSharing.IsConflict(error) ? false : null;
    }
}

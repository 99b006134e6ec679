namespace Qcow2.Engine.Storage;

/// <summary>
/// Which other programs may have an image open at the same time, where the host's share modes decide that. On Windows they
/// say what <see cref="ImageLock"/> says on Linux: one writer and no reader that relies on the image standing still, or any
/// number of readers. Those that take what they get (<see cref="Qcow2OpenOptions.ForceShare"/>) come in beside a writer.
/// </summary>
internal static class ImageSharing
{
    /// <summary>Anybody may do anything.</summary>
    internal const FileShare All = FileShare.ReadWrite | FileShare.Delete;

    private const int WindowsSharingViolation = unchecked((int)0x8007_0020);
    private const int WindowsLockViolation = unchecked((int)0x8007_0021);

    /// <summary>The share mode to open an image with.</summary>
    /// <param name="access">What the image is opened for.</param>
    /// <param name="forceShare">Whether the caller takes what it gets.</param>
    /// <param name="isWindows">
    /// Whether the host is Windows. Elsewhere .NET makes whole-file locks of share modes, which no other program heeds and which
    /// would keep apart what QEMU's locks allow.
    /// </param>
    internal static FileShare ModeFor(FileAccess access, bool forceShare, bool isWindows)
        => !isWindows || forceShare ? All
            : access == FileAccess.Read ? FileShare.Read | FileShare.Delete
            : FileShare.Read;

    /// <summary>Whether a file could not be opened because of another program's share mode.</summary>
    internal static bool IsConflict(Exception exception, bool isWindows)
        => isWindows && exception is IOException and not Qcow2Exception && exception.HResult is WindowsSharingViolation or WindowsLockViolation;

    /// <summary>Whether a number of an error of Windows says so.</summary>
    internal static bool IsConflict(int error) => error is WindowsFile.ErrorSharingViolation or WindowsFile.ErrorLockViolation;
}

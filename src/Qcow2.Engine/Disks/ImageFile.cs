using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks;

/// <summary>Opens the files that disks are made of, with the locks that the options ask for.</summary>
internal static class ImageFile
{
    internal static LocalFile Open(string path, Qcow2OpenOptions options) => options.ForceShare
        ? Open(path, FileAccess.Read, forceShare: true, ImageLock.RewritingRefused, ImageLock.AcquireForSharedReading)
        : Open(path, FileAccess.Read, forceShare: false, ImageLock.ReadingRefused, ImageLock.AcquireForReading);

    /// <summary>Opens a file to look at, which others may do with as they please.</summary>
    internal static LocalFile OpenUnlocked(string path)
        => Open(path, FileAccess.Read, forceShare: true, ImageLock.ReadingRefused, acquireLocks: null);

    /// <summary>Opens a file for writing, for which nothing is shared by force: two writers destroy an image.</summary>
    internal static LocalFile OpenForWriting(string path)
        => Open(path, FileAccess.ReadWrite, forceShare: false, ImageLock.WritingRefused, ImageLock.AcquireForWriting);

    /// <summary>Opens a file that is not written, but kept from everybody else as if it were.</summary>
    internal static LocalFile OpenHeld(string path)
    {
        string fullPath = System.IO.Path.GetFullPath(path);
        if (FileStatus.OfPath(fullPath) is { Kind: FileKind.BlockDevice })
        {
            DeviceUse.RequireNone(fullPath);
        }

        return Open(fullPath, FileAccess.Read, forceShare: false, ImageLock.WritingRefused, ImageLock.AcquireForWriting);
    }

    private static LocalFile Open(string path, FileAccess access, bool forceShare, string refusal, Action<LocalFile>? acquireLocks)
    {
        string fullPath = System.IO.Path.GetFullPath(path);
        LocalFile OpenOnce() => LocalFile.Open(fullPath, access, ImageSharing.ModeFor(access, forceShare, OperatingSystemInfo.IsWindows), refusal);
        return acquireLocks is null ? OpenOnce() : LockedFile.Open(fullPath, OpenOnce, acquireLocks);
    }
}

using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>How other programs hold an image.</summary>
public enum ImageLockState
{
    /// <summary>No other program holds it, or the host cannot tell.</summary>
    Unlocked,

    /// <summary>Others read it and rely on nobody writing it.</summary>
    HeldForReading,

    /// <summary>Another program, such as a running virtual machine, writes it.</summary>
    HeldForWriting,
}

/// <summary>
/// QEMU's image locks, so that QEMU and this engine respect each other: open file description locks on single bytes of
/// the file. A shared lock on byte 100 + p says "I use permission p"; one on 200 + p says "nobody else may use p".
/// The locks end when the file is closed, also when the process dies. Linux only; on Windows
/// <see cref="ImageSharing"/> has the part.
/// </summary>
internal static class ImageLock
{
    /// <summary>Why an image is not read, for people.</summary>
    internal const string ReadingRefused =
        "Another program has this image open for writing, probably a running virtual machine.";

    /// <summary>Why an image is not written, for people.</summary>
    internal const string WritingRefused =
        "Another program has this image open, probably a running virtual machine. It cannot be written until that is closed.";

    /// <summary>Why an image is not even opened on Windows, for people.</summary>
    internal const string OpeningRefused =
        "Another program has this file open and lets nobody else open it meanwhile. Close it there, or wait until that is done.";

    /// <summary>Why a file that is complete could not take the place of another one, for people.</summary>
    internal const string ReplacingRefused =
        "The new file is complete, but another program has the old one open and does not let go of it. The old one was left as it is. Close that program and do this again.";

    /// <summary>Why an image is not even read by force, for people.</summary>
    internal const string RewritingRefused =
        "Another program is rewriting this image, probably a virtual machine that merges it into the one below. "
        + "Until that is done, the image makes no sense by itself, whatever is forced. Wait until then.";

    private const int UsedBase = 100;
    private const int UnsharedBase = 200;
    private const int LockedBytes = 200; // from the first base to past the last permission of the second

    // Permissions that matter, numbered as QEMU numbers them.
    private const int ConsistentRead = 0;
    private const int Write = 1;
    private const int Resize = 3;

    private static readonly int[] ReaderUses = [ConsistentRead];
    private static readonly int[] ReaderForbids = [Write, Resize];
    private static readonly int[] SharedReaderForbids = [];
    private static readonly int[] WriterUses = [ConsistentRead, Write, Resize];
    private static readonly int[] WriterForbids = [Write, Resize];

    /// <summary>Says how others hold the file, and takes nothing.</summary>
    internal static ImageLockState Probe(LocalFile file)
    {
        if (!IsAvailable)
        {
            return OperatingSystemInfo.IsWindows ? WindowsSharing.Probe(file) : ImageLockState.Unlocked;
        }

        if (IsHeld(file.Handle, UsedBase + Write) || IsHeld(file.Handle, UsedBase + Resize))
        {
            return ImageLockState.HeldForWriting;
        }

        return IsHeld(file.Handle, UnsharedBase + Write) ? ImageLockState.HeldForReading : ImageLockState.Unlocked;
    }

    /// <summary>
    /// Takes the lock of a reader that puts up with writers, for as long as the file is open. It is refused only what makes no
    /// sense at all: images that a block job is rewriting, whose own guest would not find its data there.
    /// </summary>
    /// <exception cref="Qcow2Exception">Another program is rewriting the file.</exception>
    internal static void AcquireForSharedReading(LocalFile file)
        => Acquire(
            file,
            ReaderUses,
            SharedReaderForbids,
            RewritingRefused);

    /// <summary>Takes the locks of a reader for as long as the file is open.</summary>
    /// <exception cref="Qcow2Exception">Another program writes the file.</exception>
    internal static void AcquireForReading(LocalFile file)
        => Acquire(
            file,
            ReaderUses,
            ReaderForbids,
            ReadingRefused);

    /// <summary>Takes the locks of a writer for as long as the file is open.</summary>
    /// <exception cref="Qcow2Exception">Another program reads or writes the file.</exception>
    internal static void AcquireForWriting(LocalFile file)
        => Acquire(
            file,
            WriterUses,
            WriterForbids,
            WritingRefused);

    /// <summary>
    /// Releases every lock of an open file. Closing it does that too, but for a child process that was just being started,
    /// which has the same open file until it becomes another program.
    /// </summary>
    internal static void Release(LocalFile file)
    {
        var request = new LibC.FileLock { Type = LibC.Unlock, Start = UsedBase, Length = LockedBytes };
        _ = LibC.FileControl(file.Handle, LibC.OfdSetLock, ref request);
        file.HoldsLocks = false;
        file.IsKeptFromWriters = false;
    }

    private static void Acquire(LocalFile file, int[] uses, int[] forbids, string refusal)
    {
        if (!IsAvailable)
        {
            return;
        }

        file.HoldsLocks = true;

        // Locks first, questions after: of two programs that do both at once, at least one sees the other.
        foreach (int permission in uses)
        {
            if (!TrySet(file.Handle, UsedBase + permission, LibC.ReadLock))
            {
                return; // A file system without locks has nothing to tell.
            }
        }

        bool isForbidden = forbids.Length > 0;
        foreach (int permission in forbids)
        {
            isForbidden &= TrySet(file.Handle, UnsharedBase + permission, LibC.ReadLock);
        }

        bool isRewritten = IsHeld(file.Handle, UnsharedBase + ConsistentRead);
        bool conflicts = isRewritten
            || forbids.Any(permission => IsHeld(file.Handle, UsedBase + permission))
            || uses.Any(permission => IsHeld(file.Handle, UnsharedBase + permission));
        if (conflicts)
        {
            Release(file);
            throw new Qcow2Exception(Qcow2ErrorCode.ImageLocked, isRewritten ? RewritingRefused : refusal)
            {
                CanBeShared = !isRewritten && refusal == ReadingRefused,
            }.At(file.Path);
        }

        file.IsKeptFromWriters = isForbidden && !uses.Contains(Write);
    }

    /// <summary>Whether the host has such locks.</summary>
    internal static bool IsAvailable => LibC.IsLinux && Environment.Is64BitProcess;

    private static bool TrySet(SafeFileHandle handle, int position, short type)
    {
        var request = new LibC.FileLock { Type = type, Start = position, Length = 1 };
        return LibC.FileControl(handle, LibC.OfdSetLock, ref request) == 0;
    }

    private static bool IsHeld(SafeFileHandle handle, int position)
    {
        var request = new LibC.FileLock { Type = LibC.WriteLock, Start = position, Length = 1 };
        return LibC.FileControl(handle, LibC.OfdGetLock, ref request) == 0 && request.Type != LibC.Unlock;
    }
}

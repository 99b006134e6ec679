using System.Runtime.InteropServices;

namespace Qcow2.Engine.Storage;

/// <content>Files that have no name yet, and what changes names.</content>
internal static unsafe partial class LibC
{
    internal const int ErrorNotPermitted = 1; // EPERM
    internal const int ErrorNotFound = 2; // ENOENT
    internal const int ErrorInterrupted = 4; // EINTR
    internal const int ErrorAccess = 13; // EACCES
    internal const int ErrorBusy = 16; // EBUSY
    internal const int ErrorExists = 17; // EEXIST
    internal const int ErrorNotFolder = 20; // ENOTDIR
    internal static readonly int ErrorLoop = IsMacOS ? 62 : 40; // ELOOP

    internal static readonly int ErrorWouldBlock = IsMacOS ? 35 : 11; // EWOULDBLOCK

    internal const ulong AttributeImmutable = 0x10; // STATX_ATTR_IMMUTABLE
    internal const ulong AttributeAppendOnly = 0x20; // STATX_ATTR_APPEND
    internal const ulong AttributeMountPoint = 0x2000; // STATX_ATTR_MOUNT_ROOT
    internal const uint MacFlagsImmutable = 0x20002; // SF_IMMUTABLE | UF_IMMUTABLE
    internal const uint MacFlagsAppendOnly = 0x40004; // SF_APPEND | UF_APPEND

    internal const int FromCurrentFolder = -100; // AT_FDCWD
    internal const int FollowLinks = 0x400; // AT_SYMLINK_FOLLOW
    internal const uint NoReplace = 1; // RENAME_NOREPLACE
    internal const uint Exchange = 2; // RENAME_EXCHANGE
    internal const int LockShared = 1 | 4; // LOCK_SH | LOCK_NB
    internal const int LockAlone = 2 | 4; // LOCK_EX | LOCK_NB
    internal const int UnlockFile = 8; // LOCK_UN

    internal const int OpenExclusive = 0x80; // O_EXCL of Linux

    private const int ReadWrite = 2; // O_RDWR

    // These processors have kept the numbers of their older systems.
    private static readonly bool HasOwnNumbers = RuntimeInformation.ProcessArchitecture is Architecture.Arm or Architecture.Arm64
        || RuntimeInformation.ProcessArchitecture.ToString() == "Ppc64le";

    /// <summary>Linux only: <c>O_TMPFILE | O_RDWR | O_CLOEXEC</c>.</summary>
    internal static readonly int OpenWithoutName = 0x400000 | (HasOwnNumbers ? 0x4000 : 0x10000) | ReadWrite | 0x80000;

    /// <summary>Linux only: <c>O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC</c>.</summary>
    internal const int CreateOnly = ReadWrite | 0x40 | 0x80 | 0x80000;

    /// <summary><c>O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC</c>: never waits for anything, and opens what has this very name.</summary>
    internal static readonly int OpenToLookAt = IsMacOS
        ? ReadWrite | 0x100 | 0x4 | 0x1000000
        : ReadWrite | (HasOwnNumbers ? 0x8000 : 0x20000) | 0x800 | 0x80000;

    [DllImport("libc", EntryPoint = "open", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int OpenOrCreate(byte* path, int flags, uint mode);

    /// <summary>Linux only.</summary>
    [DllImport("libc", EntryPoint = "statx", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int StatXOpen(SafeHandle file, byte* path, int flags, uint mask, StatXBuffer* buffer);

    [DllImport("libc", EntryPoint = "lstat", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int LinkStatArm64(byte* path, MacStat* buffer);

    [DllImport("libc", EntryPoint = "lstat$INODE64", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int LinkStatX64(byte* path, MacStat* buffer);

    [DllImport("libc", EntryPoint = "readlink", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern nint ReadLink(byte* path, byte* buffer, nint length);

    [DllImport("libc", EntryPoint = "linkat", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int LinkAt(int oldFolder, byte* oldPath, int newFolder, byte* newPath, int flags);

    /// <summary>Linux only, and not in every C library.</summary>
    [DllImport("libc", EntryPoint = "renameat2", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int RenameAt(int oldFolder, byte* oldPath, int newFolder, byte* newPath, uint flags);

    /// <summary>Linux only, and not in every C library. Moves the offsets.</summary>
    [DllImport("libc", EntryPoint = "copy_file_range", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern nint CopyRange(SafeHandle source, long* sourceOffset, SafeHandle destination, long* offset, nint length, uint flags);

    /// <summary>Linux only. Moves the offset, and leaves that of the file alone.</summary>
    [DllImport("libc", EntryPoint = "sendfile", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern nint SendFile(SafeHandle socket, SafeHandle source, long* sourceOffset, nint length);

    [DllImport("libc", EntryPoint = "flock", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int LockFile(SafeHandle file, int operation);

    [DllImport("libc", EntryPoint = "geteuid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern uint EffectiveUser();

    /// <summary>Asks how a signal is handled; the structure begins with the handler everywhere.</summary>
    [DllImport("libc", EntryPoint = "sigaction", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int SignalAction(int signal, IntPtr newAction, IntPtr* oldAction);
}

using System.Runtime.InteropServices;

namespace Qcow2.Engine.Storage;

/// <summary>The few calls of the C library that .NET has no equivalent for.</summary>
internal static unsafe partial class LibC
{
    internal const int ErrorNoSuchAddress = 6; // ENXIO

    internal static readonly bool IsLinux = RuntimeInformation.IsOSPlatform(OSPlatform.Linux);
    internal static readonly bool IsMacOS = RuntimeInformation.IsOSPlatform(OSPlatform.OSX);

    internal const int SeekEnd = 2;

    // Linux and macOS number these two the other way round.
    internal static readonly int SeekData = IsMacOS ? 4 : 3;
    internal static readonly int SeekHole = IsMacOS ? 3 : 4;

    internal const int OfdGetLock = 36; // F_OFD_GETLK
    internal const int OfdSetLock = 37; // F_OFD_SETLK
    internal const short ReadLock = 0; // F_RDLCK
    internal const short WriteLock = 1; // F_WRLCK
    internal const short Unlock = 2; // F_UNLCK

    [DllImport("libc", EntryPoint = "lseek", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern long Seek(SafeHandle file, long offset, int whence);

    [DllImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int FileControl(SafeHandle file, int command, ref FileLock argument);

    internal const int SetSignal = 10; // F_SETSIG
    internal const int SetLease = 1024; // F_SETLEASE
    internal const int SignalUrgent = 23; // SIGURG, which is ignored unless somebody asks for it

    /// <summary>Linux only: commands that take a number.</summary>
    [DllImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int FileControl(SafeHandle file, int command, int argument);

    internal const int ErrorInputOutput = 5; // EIO
    internal const int ErrorNoSpace = 28; // ENOSPC
    internal static readonly int ErrorQuota = IsMacOS ? 69 : 122; // EDQUOT
    internal const int PunchHole = 0x03; // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE

    internal static readonly int OpenReadOnlyAndCloseOnExecute = IsMacOS ? 0x1000000 : 0x80000; // O_RDONLY | O_CLOEXEC

    [DllImport("libc", EntryPoint = "open", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int Open(byte* path, int flags);

    [DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int Flush(SafeHandle file);

    /// <summary>Linux only.</summary>
    [DllImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int Allocate(SafeHandle file, int mode, long offset, long length);

    /// <summary>Linux only; its structure is the same on every processor, which stat's is not.</summary>
    [DllImport("libc", EntryPoint = "statx", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int StatX(int directory, byte* path, int flags, uint mask, StatXBuffer* buffer);

    /// <summary>macOS on 64-bit processors.</summary>
    [DllImport("libc", EntryPoint = "stat", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int StatArm64(byte* path, MacStat* buffer);

    /// <summary>macOS on Intel processors, where the plain name is a 32-bit relic.</summary>
    [DllImport("libc", EntryPoint = "stat$INODE64", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int StatX64(byte* path, MacStat* buffer);

    /// <summary><c>struct flock</c> of 64-bit Linux.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct FileLock
    {
        internal short Type;
        internal short Whence;
        internal long Start;
        internal long Length;
        internal int ProcessId;
    }

    /// <summary><c>struct statx</c>: the fields that are used, at their places.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    internal struct StatXBuffer
    {
        [FieldOffset(8)]
        internal ulong Attributes;

        [FieldOffset(16)]
        internal uint Links;

        [FieldOffset(20)]
        internal uint User;

        [FieldOffset(24)]
        internal uint Group;

        [FieldOffset(28)]
        internal ushort Mode;

        [FieldOffset(32)]
        internal ulong Inode;

        [FieldOffset(40)]
        internal ulong Size;

        [FieldOffset(48)]
        internal ulong Blocks;

        [FieldOffset(136)]
        internal uint DeviceMajor;

        [FieldOffset(140)]
        internal uint DeviceMinor;
    }

    /// <summary><c>struct stat</c> of macOS with 64-bit inodes.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    internal struct MacStat
    {
        [FieldOffset(0)]
        internal int Device;

        [FieldOffset(4)]
        internal ushort Mode;

        [FieldOffset(6)]
        internal ushort Links;

        [FieldOffset(8)]
        internal ulong Inode;

        [FieldOffset(16)]
        internal uint User;

        [FieldOffset(20)]
        internal uint Group;

        [FieldOffset(104)]
        internal long Blocks;

        [FieldOffset(116)]
        internal uint Flags;
    }
}

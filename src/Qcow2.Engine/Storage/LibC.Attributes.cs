using System.Runtime.InteropServices;

namespace Qcow2.Engine.Storage;

/// <content>What a file has beside its bytes.</content>
internal static unsafe partial class LibC
{
    internal const int ErrorNoData = 61; // ENODATA
    internal const int ErrorRange = 34; // ERANGE
    internal const int ErrorNotSupported = 95; // EOPNOTSUPP

    internal const uint MacCopyAccessList = 1; // COPYFILE_ACL
    internal const uint MacCopyAttributes = 4; // COPYFILE_XATTR

    internal const nuint GetInodeFlags = 0x80086601; // FS_IOC_GETFLAGS
    internal const nuint SetInodeFlags = 0x40086602; // FS_IOC_SETFLAGS

    [DllImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int ChangeMode(SafeHandle file, uint mode);

    [DllImport("libc", EntryPoint = "fchown", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int ChangeOwner(SafeHandle file, uint user, uint group);

    /// <summary>Linux only, as the next three.</summary>
    [DllImport("libc", EntryPoint = "flistxattr", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern nint ListAttributes(SafeHandle file, byte* names, nint length);

    [DllImport("libc", EntryPoint = "fgetxattr", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern nint GetAttribute(SafeHandle file, byte* name, byte* value, nint length);

    [DllImport("libc", EntryPoint = "fsetxattr", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int SetAttribute(SafeHandle file, byte* name, byte* value, nint length, int flags);

    [DllImport("libc", EntryPoint = "fremovexattr", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int RemoveAttribute(SafeHandle file, byte* name);

    [DllImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int DeviceControl(SafeHandle file, nuint request, int* argument);

    /// <summary>macOS only.</summary>
    [DllImport("libc", EntryPoint = "fcopyfile", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int CopyAttributes(SafeHandle from, SafeHandle to, IntPtr state, uint flags);
}

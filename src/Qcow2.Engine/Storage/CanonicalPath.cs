using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>The path of a file or folder with every symbolic link resolved.</summary>
internal static class CanonicalPath
{
    /// <summary>For <see cref="OfHandle"/>: volumes by their drive letters (VOLUME_NAME_DOS), and network shares.</summary>
    internal const uint DriveNames = 0;

    /// <summary>For <see cref="OfHandle"/>: volumes by their unique names (VOLUME_NAME_GUID); nothing of network shares.</summary>
    internal const uint VolumeNames = 1;

    /// <summary>Resolves a path; null if it does not lead to anything.</summary>
    internal static string? TryOf(string path) => OperatingSystemInfo.IsWindows ? OnWindows(path) : OnUnix(path);

    private static string? OnUnix(string path)
    {
        IntPtr resolved = RealPath(Encoding.UTF8.GetBytes(path + "\0"), IntPtr.Zero);
        if (resolved == IntPtr.Zero)
        {
            return null;
        }

        try
        {
            int length = 0;
            while (Marshal.ReadByte(resolved, length) != 0)
            {
                length++;
            }

            byte[] bytes = new byte[length];
            Marshal.Copy(resolved, bytes, 0, length);
            return Encoding.UTF8.GetString(bytes);
        }
        finally
        {
            Free(resolved);
        }
    }

    private static string? OnWindows(string path)
    {
        const int ShareAll = 7;
        const int OpenExisting = 3;
        const int AlsoFolders = 0x02000000; // FILE_FLAG_BACKUP_SEMANTICS
        using SafeFileHandle handle = CreateFile(WindowsPath.ForHost(path), 0, ShareAll, IntPtr.Zero, OpenExisting, AlsoFolders, IntPtr.Zero);
        if (handle.IsInvalid)
        {
            return null;
        }

        return OfHandle(handle, DriveNames) is not string final ? null
            : final.StartsWith(@"\\?\UNC\", StringComparison.Ordinal) ? $@"\\{final.Substring(8)}"
            : final.StartsWith(@"\\?\", StringComparison.Ordinal) ? final.Substring(4)
            : final;
    }

    /// <summary>The path of an open file on Windows, led by <c>\\?\</c>; null where Windows does not know it.</summary>
    internal static string? OfHandle(SafeFileHandle handle, uint names)
    {
        char[] buffer = new char[32 * 1024];
        uint length = GetFinalPathNameByHandle(handle, buffer, (uint)buffer.Length, names);
        return length == 0 || length >= buffer.Length ? null : new string(buffer, 0, (int)length);
    }

    [DllImport("libc", EntryPoint = "realpath", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern IntPtr RealPath(byte[] path, IntPtr buffer);

    [DllImport("libc", EntryPoint = "free")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern void Free(IntPtr memory);

    [DllImport("kernel32", EntryPoint = "CreateFileW", CharSet = CharSet.Unicode, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern SafeFileHandle CreateFile(
        string name, int access, int share, IntPtr security, int disposition, int flags, IntPtr template);

    [DllImport("kernel32", EntryPoint = "GetFinalPathNameByHandleW", CharSet = CharSet.Unicode, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern uint GetFinalPathNameByHandle(SafeFileHandle file, [Out] char[] path, uint length, uint flags);
}

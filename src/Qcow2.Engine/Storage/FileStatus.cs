using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>What the host knows of a file beyond its length.</summary>
/// <param name="Identity">Which file it is.</param>
/// <param name="Kind">What sort of file it is.</param>
/// <param name="AllocatedLength">Bytes it takes on its disk; null where the host does not say.</param>
internal readonly record struct FileStatus(FileIdentity Identity, FileKind Kind, long? AllocatedLength)
{
    private const int CurrentDirectory = -100; // AT_FDCWD
    private const uint BasicStatistics = 0x7ff; // STATX_BASIC_STATS
    private const int BlockUnit = 512;

    private const int KindMask = 0xf000; // S_IFMT
    private const int Regular = 0x8000;
    private const int BlockDevice = 0x6000;

    /// <summary>Asks about a path, so that a pipe is known as one before an open that would wait on it for ever.</summary>
    internal static FileStatus? OfPath(string path)
    {
        if (LibC.IsLinux)
        {
            return OnLinux(path);
        }

        return LibC.IsMacOS ? OnMacOS(path) : null;
    }

    /// <summary>Asks about an open file, on Windows.</summary>
    internal static FileStatus OfHandle(SafeFileHandle handle)
    {
        if (!GetFileInformationByHandle(handle, out WindowsFileInformation information))
        {
            throw new IOException("The file's identity could not be read.", new Win32Exception(Marshal.GetLastWin32Error()));
        }

        long? allocated = GetFileInformationByHandleEx(handle, 1, out WindowsStandardInformation standard, 24)
            ? standard.AllocationSize
            : null;
        ulong file = ((ulong)information.FileIndexHigh << 32) | information.FileIndexLow;
        return new FileStatus(new FileIdentity(information.VolumeSerialNumber, file), FileKind.Regular, allocated);
    }

    /// <summary>Who a file belongs to; null on Windows, and where there is no file.</summary>
    internal static FileOwner? OwnerOf(string path)
    {
        if (LibC.IsLinux)
        {
            return Linux(path) is LibC.StatXBuffer status ? new FileOwner(status.User, status.Group, status.Mode) : null;
        }

        return LibC.IsMacOS && MacOS(path) is LibC.MacStat other ? new FileOwner(other.User, other.Group, other.Mode) : null;
    }

    /// <summary>How many names (hard links) a file has; null on Windows, and where there is no file.</summary>
    internal static long? LinksOf(string path) => LibC.IsLinux ? Linux(path)?.Links : LibC.IsMacOS ? MacOS(path)?.Links : null;

    private static FileStatus? OnLinux(string path)
    {
        if (Linux(path) is not LibC.StatXBuffer buffer)
        {
            return null;
        }

        ulong device = ((ulong)buffer.DeviceMajor << 32) | buffer.DeviceMinor;
        return new FileStatus(new FileIdentity(device, buffer.Inode), KindOf(buffer.Mode), (long)buffer.Blocks * BlockUnit);
    }

    private static FileStatus? OnMacOS(string path)
        => MacOS(path) is LibC.MacStat buffer
            ? new FileStatus(new FileIdentity((ulong)(uint)buffer.Device, buffer.Inode), KindOf(buffer.Mode), buffer.Blocks * BlockUnit)
            : null;

    private static unsafe LibC.StatXBuffer? Linux(string path)
    {
        LibC.StatXBuffer buffer;
        fixed (byte* name = Terminated(path))
        {
            return LibC.StatX(CurrentDirectory, name, 0, BasicStatistics, &buffer) == 0 ? buffer : null;
        }
    }

    private static unsafe LibC.MacStat? MacOS(string path)
    {
        LibC.MacStat buffer;
        fixed (byte* name = Terminated(path))
        {
            int result = RuntimeInformation.ProcessArchitecture == Architecture.X64
                ? LibC.StatX64(name, &buffer)
                : LibC.StatArm64(name, &buffer);
            return result == 0 ? buffer : null;
        }
    }

    private static FileKind KindOf(ushort mode) => (mode & KindMask) switch
    {
        Regular => FileKind.Regular,
        BlockDevice => FileKind.BlockDevice,
        _ => FileKind.Other,
    };

    private static byte[] Terminated(string path) => Encoding.UTF8.GetBytes(path + "\0");

    [DllImport("kernel32", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool GetFileInformationByHandle(SafeFileHandle file, out WindowsFileInformation information);

    [DllImport("kernel32", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool GetFileInformationByHandleEx(
        SafeFileHandle file, int informationClass, out WindowsStandardInformation information, int size);

    [StructLayout(LayoutKind.Sequential)]
    private struct WindowsFileInformation
    {
        internal uint FileAttributes;
        internal long CreationTime;
        internal long LastAccessTime;
        internal long LastWriteTime;
        internal uint VolumeSerialNumber;
        internal uint FileSizeHigh;
        internal uint FileSizeLow;
        internal uint NumberOfLinks;
        internal uint FileIndexHigh;
        internal uint FileIndexLow;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct WindowsStandardInformation
    {
        internal long AllocationSize;
        internal long EndOfFile;
        internal uint NumberOfLinks;
        internal byte DeletePending;
        internal byte Directory;
    }
}

/// <summary>The sorts of file that matter here.</summary>
internal enum FileKind
{
    Regular,
    BlockDevice,

    /// <summary>A folder, pipe, socket or character device: nothing that can hold an image.</summary>
    Other,
}

using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>Asks Windows about an open file.</summary>
internal static class WindowsFileStatus
{
    private const int StandardClass = 1; // FileStandardInfo
    private const int IdClass = 18; // FileIdInfo

    internal static FileIdentity IdentityOf(SafeFileHandle handle)
        => new(new WindowsFileFacts(IdOf(handle), CanonicalPath.OfHandle(handle, CanonicalPath.VolumeNames) ?? CanonicalPath.OfHandle(handle, CanonicalPath.DriveNames)));

    /// <summary>Says which file a path leads to, without reading it, and whoever has it open; null where there is none, or a device.</summary>
    internal static FileIdentity? TryIdentify(string path)
    {
        if (WindowsDevices.KindOf(path) is FileKind.CharacterDevice or FileKind.Pipe)
        {
            return null;
        }

        using SafeFileHandle handle = WindowsFile.TryOpen(path, WindowsFile.OnlyAttributes, ImageSharing.All, WindowsFile.OpenExisting, out int error);
        return error == 0 ? IdentityOf(handle) : null;
    }

    /// <summary>Bytes that the file takes on its disk; null where the file system does not say.</summary>
    internal static long? AllocatedLengthOf(SafeFileHandle handle)
        => GetStandardInformation(handle, StandardClass, out StandardInformation standard, Marshal.SizeOf<StandardInformation>()) ? standard.AllocationSize : null;

    /// <summary>The id of Windows 8 and later, without which files on ReFS cannot be told apart; else the one that there always was.</summary>
    private static WindowsFileId? IdOf(SafeFileHandle handle)
    {
        if (GetIdInformation(handle, IdClass, out IdInformation wide, Marshal.SizeOf<IdInformation>()))
        {
            return new WindowsFileId(true, wide.VolumeSerialNumber, wide.FileIdHigh, wide.FileIdLow);
        }

        return GetFileInformationByHandle(handle, out HandleInformation narrow)
            ? new WindowsFileId(false, narrow.VolumeSerialNumber, 0, ((ulong)narrow.FileIndexHigh << 32) | narrow.FileIndexLow)
            : null;
    }

    [DllImport("kernel32", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool GetFileInformationByHandle(SafeFileHandle file, out HandleInformation information);

    [DllImport("kernel32", EntryPoint = "GetFileInformationByHandleEx", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool GetStandardInformation(SafeFileHandle file, int informationClass, out StandardInformation information, int size);

    [DllImport("kernel32", EntryPoint = "GetFileInformationByHandleEx", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool GetIdInformation(SafeFileHandle file, int informationClass, out IdInformation information, int size);

    /// <summary><c>BY_HANDLE_FILE_INFORMATION</c>. Its times are pairs of 32-bit numbers, so that nothing in it is aligned to 8 bytes.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    internal struct HandleInformation
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

    /// <summary><c>FILE_ID_INFO</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct IdInformation
    {
        internal ulong VolumeSerialNumber;
        internal ulong FileIdLow;
        internal ulong FileIdHigh;
    }

    /// <summary><c>FILE_STANDARD_INFO</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct StandardInformation
    {
        internal long AllocationSize;
        internal long EndOfFile;
        internal uint NumberOfLinks;
        internal byte DeletePending;
        internal byte Directory;
    }
}

using System.Runtime.InteropServices;

namespace Qcow2.Engine.Storage;

/// <summary>
/// How long a file can be where it is written. FAT, as memory cards and boot partitions have it, ends at 4 GiB: without this that would be found
/// after hours, and be called a full disk by Windows.
/// </summary>
public static class FileSizeLimit
{
    private const int BufferLength = 32 * 1024;

    /// <summary>The longest file of a file system; null if it is not known, or longer than any disk.</summary>
    /// <param name="folder">Full path of a folder on it.</param>
    public static long? Of(string folder) => NameOf(folder) is string name ? OfFileSystem(name) : null;

    /// <summary>Refuses a file that its file system cannot hold.</summary>
    /// <param name="path">Full path of the file.</param>
    /// <param name="length">How long it is to be, in bytes.</param>
    /// <exception cref="IOException">It cannot be that long there.</exception>
    public static void Ensure(string path, long length)
    {
        if (Path.GetDirectoryName(path) is string folder)
        {
            Ensure(path, length, Of(folder));
        }
    }

    /// <summary>Refuses a file that is longer than a limit.</summary>
    /// <param name="path">Full path of the file.</param>
    /// <param name="length">How long it is to be, in bytes.</param>
    /// <param name="limit">The limit, in bytes; null for none.</param>
    public static void Ensure(string path, long length, long? limit)
    {
        if (length > limit)
        {
            throw new IOException(
                $"{path}: this file is to have {length} bytes, and the file system there (FAT) takes {limit} at most. Write it to another (NTFS, ReFS, exFAT, ext4), "
                + "or make the image smaller, by compressing it for one.", HostError.FileTooLarge);
        }
    }

    /// <summary>By the name that a host gives a file system.</summary>
    internal static long? OfFileSystem(string name) => name.ToUpperInvariant() switch
    {
        "FAT" or "FAT12" or "FAT16" or "FAT32" or "VFAT" or "MSDOS" => uint.MaxValue,
        _ => null,
    };

    private static string? NameOf(string folder)
    {
        if (OperatingSystemInfo.IsWindows)
        {
            char[] root = new char[BufferLength], name = new char[BufferLength];
            return GetVolumePathName(WindowsPath.ForHost(folder), root, root.Length)
                && GetVolumeInformation(Text(root), null, 0, IntPtr.Zero, IntPtr.Zero, IntPtr.Zero, name, name.Length)
                ? Text(name)
                : null;
        }

        try
        {
            return new DriveInfo(folder).DriveFormat;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    private static string Text(char[] terminated) => new(terminated, 0, Math.Max(0, Array.IndexOf(terminated, '\0')));

    [DllImport("kernel32", EntryPoint = "GetVolumePathNameW", CharSet = CharSet.Unicode, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool GetVolumePathName(string path, [Out] char[] root, int length);

    [DllImport("kernel32", EntryPoint = "GetVolumeInformationW", CharSet = CharSet.Unicode, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool GetVolumeInformation(
        string root, [Out] char[]? label, int labelLength, IntPtr serialNumber, IntPtr maximumComponent, IntPtr flags, [Out] char[] fileSystem, int fileSystemLength);
}

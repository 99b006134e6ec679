using System.Runtime.InteropServices;

namespace Qcow2.Engine.Storage;

/// <summary>How much can still be written to the volume that a folder lies on.</summary>
/// <remarks>Quotas count where the host says so, which Windows does and Linux does not. What a compressing file system will make of the bytes is not known.</remarks>
public static class FreeSpace
{
    /// <summary>Bytes that this user may still write.</summary>
    /// <param name="folder">A folder that exists; what is mounted there counts, also by a bind mount.</param>
    /// <returns>Null where the host does not say.</returns>
    public static long? Of(string folder)
    {
        if (OperatingSystemInfo.IsWindows)
        {
            // DriveInfo knows drive letters only, and neither shares nor volumes that are mounted in folders.
            string path = folder.TrimEnd('\\', '/') + '\\';
            return GetDiskFreeSpaceEx(path, out ulong available, out ulong total, out _) && total > 0 ? (long)Math.Min(available, long.MaxValue) : null;
        }

        try
        {
            // On Unix this takes any path, and asks for the file system that it leads to.
            var volume = new DriveInfo(folder);
            return volume.TotalSize > 0 ? volume.AvailableFreeSpace : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>Refuses early what does not fit, where that is known.</summary>
    /// <param name="path">The file that is brought there.</param>
    /// <param name="folder">A folder that exists.</param>
    /// <param name="length">Bytes that are needed.</param>
    /// <exception cref="IOException">There is less.</exception>
    internal static void Require(string path, string folder, long length)
    {
        if (Of(folder) is long free && free < length)
        {
            throw new IOException($"{path}: there are {length} bytes, and {free} are free in the folder {folder}, where they would be downloaded to.", HostError.DiskFull);
        }
    }

    [DllImport("kernel32", EntryPoint = "GetDiskFreeSpaceExW", SetLastError = true, CharSet = CharSet.Unicode, ExactSpelling = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool GetDiskFreeSpaceEx(string folder, out ulong available, out ulong total, out ulong free);
}

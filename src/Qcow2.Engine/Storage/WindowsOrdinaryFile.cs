using System.Runtime.InteropServices;

namespace Qcow2.Engine.Storage;

/// <summary>
/// A new file on Windows that has no holes and is neither compressed nor encrypted by the file system. Hyper-V, Mount-VHD and diskpart take no other
/// VHD and VHDX (error 0xC03A001A), and a folder passes compression, encryption and the integrity streams of ReFS on to what is made in it.
/// </summary>
/// <remarks>Where the file system does not give that up, the file is what it can be; <see cref="HyperVFile"/> says what is in the way then.</remarks>
internal static class WindowsOrdinaryFile
{
    /// <summary>Takes compression, encryption and integrity streams from a file that was made just now.</summary>
    /// <param name="path">Its full path.</param>
    /// <param name="file">The file, which is empty; it may be closed and opened again.</param>
    /// <returns>The open file.</returns>
    internal static PositionalFile Make(string path, PositionalFile file)
    {
        if (!OperatingSystemInfo.IsWindows)
        {
            return file;
        }

        try
        {
            if (File.GetAttributes(path).HasFlag(FileAttributes.Encrypted))
            {
                file.Dispose(); // The host decrypts only files that nobody has open.
                _ = DecryptFile(WindowsPath.ForHost(path), 0);
                file = PositionalFile.Own(WindowsFile.Open(
                    path, WindowsFile.GenericRead | WindowsFile.GenericWrite | WindowsFile.MayBeDeleted, ImageSharing.All, WindowsFile.OpenExisting));
            }

            FileAttributes attributes = File.GetAttributes(path);
            if (attributes.HasFlag(FileAttributes.Compressed))
            {
                WindowsSparseFile.TryCompress(file.Handle, isCompressed: false);
            }

            if (attributes.HasFlag(FileAttributes.IntegrityStream))
            {
                WindowsSparseFile.TryLeaveIntegrity(file.Handle);
            }

            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    [DllImport("advapi32", EntryPoint = "DecryptFileW", CharSet = CharSet.Unicode, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool DecryptFile(string path, uint reserved);
}

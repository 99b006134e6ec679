using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>Files opened and renamed on Windows as .NET does not do it.</summary>
internal static unsafe class WindowsFile
{
    internal const uint GenericRead = 0x80000000;
    internal const uint GenericWrite = 0x40000000;
    internal const uint MayBeDeleted = 0x00010000; // DELETE, which renaming takes, too
    internal const uint OnlyAttributes = 0x80; // FILE_READ_ATTRIBUTES, which no share mode keeps out

    internal const int OpenExisting = 3;
    internal const int CreateNew = 1;

    internal const int ErrorAccessDenied = 5;
    internal const int ErrorSharingViolation = 32;
    internal const int ErrorLockViolation = 33;
    internal const int ErrorFileExists = 80;
    internal const int ErrorAlreadyExists = 183;

    private const int RenameClass = 3; // FileRenameInfo
    private const int RenameExClass = 22; // FileRenameInfoEx, of Windows 10 and later
    private const uint ReplaceIfExists = 1;
    private const uint PosixSemantics = 2; // The old file may be open, and its readers keep it.

    /// <summary>Opens or creates a file.</summary>
    /// <param name="path">Full path.</param>
    /// <param name="access">What for.</param>
    /// <param name="share">What others may do meanwhile, who have it open already, too.</param>
    /// <param name="disposition"><see cref="OpenExisting"/> or <see cref="CreateNew"/>.</param>
    /// <param name="error">The number of the error; 0 for none.</param>
    internal static SafeFileHandle TryOpen(string path, uint access, FileShare share, int disposition, out int error)
    {
        SafeFileHandle handle = CreateFile(WindowsPath.ForHost(path), access, (int)share, IntPtr.Zero, disposition, 0, IntPtr.Zero);
        error = handle.IsInvalid ? Marshal.GetLastWin32Error() : 0;
        return handle;
    }

    /// <summary>As <see cref="TryOpen"/>, with exceptions as .NET's own.</summary>
    internal static SafeFileHandle Open(string path, uint access, FileShare share, int disposition)
    {
        SafeFileHandle handle = TryOpen(path, access, share, disposition, out int error);
        return error == 0 ? handle : throw Failure(path, error);
    }

    /// <summary>Gives an open file another name in its folder or volume, at once.</summary>
    /// <param name="file">The file, opened with <see cref="MayBeDeleted"/>.</param>
    /// <param name="path">Full path that it is to have.</param>
    /// <param name="replaces">Whether a file that has that name is replaced, also one that is open, if all who have it open share its deletion.</param>
    /// <returns>0, or the number of the error.</returns>
    internal static int TryRename(SafeFileHandle file, string path, bool replaces)
    {
        string target = WindowsPath.ForHost(path);
        int start = (int)Marshal.OffsetOf<RenameInformation>(nameof(RenameInformation.FirstCharacter));
        byte[] buffer = new byte[sizeof(RenameInformation) + (target.Length * sizeof(char))];
        fixed (byte* memory = buffer)
        {
            var information = (RenameInformation*)memory;
            information->NameLength = (uint)(target.Length * sizeof(char));
            target.AsSpan().CopyTo(new Span<char>(memory + start, target.Length));
            if (!replaces)
            {
                return SetFileInformationByHandle(file, RenameClass, memory, buffer.Length) ? 0 : Marshal.GetLastWin32Error();
            }

            information->Flags = ReplaceIfExists | PosixSemantics;
            return SetFileInformationByHandle(file, RenameExClass, memory, buffer.Length) ? 0 : Marshal.GetLastWin32Error();
        }
    }

    /// <summary>
    /// Takes a lock that only this engine asks for, on a byte far behind the end of any file, where it keeps nobody from reading and writing.
    /// </summary>
    /// <returns>False if another has it; true also where the file system has no such locks.</returns>
    internal static bool TryLock(SafeFileHandle file)
        => LockFile(file, 0, 0x40000000, 1, 0) || Marshal.GetLastWin32Error() != ErrorLockViolation;

    /// <summary>Brings a file to its disk, and with it what the file system's journal says of it so far, its name for one.</summary>
    internal static void TryFlush(SafeFileHandle file) => _ = FlushFileBuffers(file);

    /// <summary>What .NET would throw, with the path and the host's words.</summary>
    internal static Exception Failure(string path, int error)
    {
        const int NotFound = 2, NoFolder = 3, NameTooLong = 206;
        string message = $"{path}: {new Win32Exception(error).Message}";
        return error switch
        {
            NotFound => new FileNotFoundException(message, path),
            NoFolder => new DirectoryNotFoundException(message),
            ErrorAccessDenied => new UnauthorizedAccessException(message),
            NameTooLong => new PathTooLongException(message),
            _ => new IOException(message, unchecked((int)0x8007_0000) | error),
        };
    }

    [DllImport("kernel32", EntryPoint = "CreateFileW", CharSet = CharSet.Unicode, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern SafeFileHandle CreateFile(
        string name, uint access, int share, IntPtr security, int disposition, int flags, IntPtr template);

    [DllImport("kernel32", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool SetFileInformationByHandle(SafeFileHandle file, int informationClass, void* information, int size);

    [DllImport("kernel32", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool LockFile(SafeFileHandle file, uint offsetLow, uint offsetHigh, uint lengthLow, uint lengthHigh);

    [DllImport("kernel32", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool FlushFileBuffers(SafeFileHandle file);

    /// <summary><c>FILE_RENAME_INFO</c>: flags in place of the older <c>ReplaceIfExists</c>, and the first character of the name.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct RenameInformation
    {
        internal uint Flags;
        internal IntPtr RootDirectory;
        internal uint NameLength;
        internal ushort FirstCharacter;
    }
}

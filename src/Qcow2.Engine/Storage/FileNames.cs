using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>Changes of names that .NET has no call for.</summary>
internal static unsafe class FileNames
{
    /// <summary>Gives a name to an open file that has none, on Linux. Nothing may have that name.</summary>
    /// <returns>0, or the number of the error.</returns>
    internal static int TryLink(SafeFileHandle handle, string path)
    {
        fixed (byte* from = Encoding.UTF8.GetBytes($"/proc/self/fd/{handle.DangerousGetHandle()}\0"))
        fixed (byte* to = Encoding.UTF8.GetBytes(path + "\0"))
        {
            return LibC.LinkAt(LibC.FromCurrentFolder, from, LibC.FromCurrentFolder, to, LibC.FollowLinks) == 0 ? 0 : Marshal.GetLastWin32Error();
        }
    }

    /// <summary>Renames a file without taking the place of another, or exchanges two names, on Linux.</summary>
    /// <returns>0, or the number of the error; -1 where the host cannot do that.</returns>
    internal static int TryRename(string from, string to, uint flags)
    {
        if (!LibC.IsLinux)
        {
            return -1;
        }

        try
        {
            fixed (byte* oldPath = Encoding.UTF8.GetBytes(from + "\0"))
            fixed (byte* newPath = Encoding.UTF8.GetBytes(to + "\0"))
            {
                return LibC.RenameAt(LibC.FromCurrentFolder, oldPath, LibC.FromCurrentFolder, newPath, flags) == 0 ? 0 : Marshal.GetLastWin32Error();
            }
        }
        catch (EntryPointNotFoundException)
        {
            return -1;
        }
    }
}

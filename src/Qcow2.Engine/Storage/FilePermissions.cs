using System.Runtime.InteropServices;
using System.Text;

namespace Qcow2.Engine.Storage;

/// <summary>Who may read and write a file, on Linux and macOS. On Windows a file inherits that from its folder.</summary>
internal static unsafe class FilePermissions
{
    private const ushort PermissionBits = 0xfff;
    private const ushort GroupBits = 0x38; // rwx of the group

    /// <summary>
    /// Gives a new file the owner, group and mode of the one that it is to replace, as far as the host lets this process. A disk that
    /// only its owner could read must not be readable to more people afterwards.
    /// </summary>
    /// <param name="from">Path of the old file.</param>
    /// <param name="to">Path of the new one.</param>
    internal static void Copy(string from, string to)
    {
        if (FileStatus.OwnerOf(from) is not FileOwner owner)
        {
            return;
        }

        int mode = owner.Mode & PermissionBits;
        fixed (byte* path = Encoding.UTF8.GetBytes(to + "\0"))
        {
            // Before the mode: what a group may do is no business of another group.
            if (ChangeOwner(path, owner.User, owner.Group) != 0 && FileStatus.OwnerOf(to) is FileOwner actual && actual.Group != owner.Group)
            {
                mode &= ~GroupBits;
            }

            _ = ChangeMode(path, (uint)mode);
        }
    }

    [DllImport("libc", EntryPoint = "chmod", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int ChangeMode(byte* path, uint mode);

    [DllImport("libc", EntryPoint = "chown", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int ChangeOwner(byte* path, uint user, uint group);
}

/// <summary>A file's owner and mode.</summary>
/// <param name="User">Number of the user.</param>
/// <param name="Group">Number of the group.</param>
/// <param name="Mode">Its mode, the kind of file included.</param>
internal readonly record struct FileOwner(uint User, uint Group, ushort Mode);

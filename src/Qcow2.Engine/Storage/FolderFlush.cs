using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>Brings the names in a folder to the disk of the host.</summary>
/// <remarks>
/// Flushing a file brings its bytes there, not its name. Whoever deletes another file because this one is complete would lose both, if the
/// power failed after the one name and before the other.
/// </remarks>
internal static unsafe class FolderFlush
{
    /// <summary>Flushes a folder. Windows has no such call, and keeps the order of changes to names by itself.</summary>
    /// <param name="folder">Full path of the folder.</param>
    /// <exception cref="IOException">The disk of the host could not take it. A file system that cannot be asked is no failure.</exception>
    internal static void Run(string folder)
    {
        if (OperatingSystemInfo.IsWindows)
        {
            return;
        }

        fixed (byte* path = Encoding.UTF8.GetBytes(folder + "\0"))
        {
            int descriptor = LibC.Open(path, LibC.OpenReadOnlyAndCloseOnExecute);
            if (descriptor < 0)
            {
                return; // A folder in which names may be made but not listed.
            }

            using var handle = new SafeFileHandle((IntPtr)descriptor, ownsHandle: true);
            if (LibC.Flush(handle) != 0 && IsOfDisk(Marshal.GetLastWin32Error(), out string reason))
            {
                throw new IOException(
                    $"{folder}: the host could not bring the names of the files in this folder to its disk ({reason}). What was written is complete, but after a power "
                    + "failure it may be gone, and what it replaced may be back. Check the disk before anything is deleted because of this file.");
            }
        }
    }

    private static bool IsOfDisk(int error, out string reason)
    {
        reason = new Win32Exception(error).Message;
        return error is LibC.ErrorInputOutput or LibC.ErrorNoSpace || error == LibC.ErrorQuota;
    }
}

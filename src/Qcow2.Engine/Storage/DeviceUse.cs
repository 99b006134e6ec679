using System.Runtime.InteropServices;
using System.Text;

namespace Qcow2.Engine.Storage;

/// <summary>Whether the host itself uses a block device: what is written under a mounted file system destroys it, and more is lost when that writes.</summary>
internal static unsafe class DeviceUse
{
    private const int Attempts = 4;
    private const int PauseMilliseconds = 50;

    /// <summary>Refuses to write a device that the host uses. Only Linux can be asked.</summary>
    /// <param name="path">Full path of a block device.</param>
    /// <exception cref="Qcow2Exception">Something of it is mounted, or it is a part of something else.</exception>
    internal static void RequireNone(string path)
    {
        for (int attempt = 1; LibC.IsLinux && IsClaimed(path); attempt++)
        {
            if (attempt == Attempts)
            {
                throw new Qcow2Exception(
                    Qcow2ErrorCode.ImageLocked,
                    "The host itself uses this device: it or a part of it is mounted, or it is swap space or belongs to LVM, RAID or an encrypted volume. It cannot be written until that is ended.").At(path);
            }

            Thread.Sleep(PauseMilliseconds); // Others who just look claim it for a moment, too.
        }
    }

    /// <summary>Of a device <c>O_EXCL</c> asks for what a mount has: that nobody else has it so. It is given back at once.</summary>
    private static bool IsClaimed(string path)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + "\0"))
        {
            int descriptor = LibC.Open(name, LibC.OpenReadOnlyAndCloseOnExecute | LibC.OpenExclusive);
            if (descriptor < 0)
            {
                return Marshal.GetLastWin32Error() == LibC.ErrorBusy;
            }

            new Microsoft.Win32.SafeHandles.SafeFileHandle((IntPtr)descriptor, ownsHandle: true).Dispose();
            return false;
        }
    }
}

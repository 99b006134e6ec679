using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>Extents that files share on Linux (<c>ioctl_ficlonerange(2)</c>): XFS, Btrfs, bcachefs and others.</summary>
internal static unsafe class LinuxReflink
{
    // This processor numbers requests otherwise than most do.
    private static readonly bool HasOtherDirections = RuntimeInformation.ProcessArchitecture.ToString() == "Ppc64le";

    private static readonly nuint GetBlockSize = HasOtherDirections ? 0x20000002u : 0x2u; // FIGETBSZ
    private static readonly nuint CloneRange = HasOtherDirections ? 0x8020940Du : 0x4020940Du; // FICLONERANGE

    /// <summary>
    /// Asks whether one file can share what lies in another. A request that no file system can grant shows it: one that shares at all finds fault with
    /// the offsets, every other one with the files. Nothing is changed.
    /// </summary>
    /// <returns>The blocks that are shared whole, in bytes; 0 if nothing can be shared.</returns>
    internal static int UnitOf(SafeFileHandle source, SafeFileHandle destination, out string? refusal)
    {
        const int InvalidArgument = 22; // EINVAL
        int unit = 0;
        if (TryClone(source, 1, destination, 1, 1, out int error) || error == InvalidArgument)
        {
            if (LibC.Flush(source) == 0 && LibC.DeviceControl(destination, GetBlockSize, &unit) == 0 && unit >= 512 && (unit & (unit - 1)) == 0)
            {
                refusal = null;
                return unit;
            }

            error = Marshal.GetLastWin32Error();
        }

        refusal = new Win32Exception(error).Message;
        return 0;
    }

    internal static bool TryShare(SafeFileHandle source, long sourceOffset, SafeFileHandle destination, long offset, long length, out string? refusal)
    {
        refusal = TryClone(source, sourceOffset, destination, offset, length, out int error) ? null : new Win32Exception(error).Message;
        return refusal is null;
    }

    /// <summary>Copies inside the kernel (<c>copy_file_range(2)</c>).</summary>
    internal static bool TryCopy(SafeFileHandle source, long sourceOffset, SafeFileHandle destination, long offset, long length)
    {
        try
        {
            while (length > 0)
            {
                // None is the end of the source, or a file system that cannot and does not say so.
                nint count = LibC.CopyRange(source, &sourceOffset, destination, &offset, (nint)length, 0);
                if (count <= 0)
                {
                    return false;
                }

                length -= count;
            }

            return true;
        }
        catch (EntryPointNotFoundException)
        {
            return false; // The C library is older than the call.
        }
    }

    private static bool TryClone(SafeFileHandle source, long sourceOffset, SafeFileHandle destination, long offset, long length, out int error)
    {
        bool isHeld = false;
        try
        {
            source.DangerousAddRef(ref isHeld);
            CloneArguments arguments = new()
            {
                Source = (long)source.DangerousGetHandle(),
                SourceOffset = (ulong)sourceOffset,
                Length = (ulong)length,
                Offset = (ulong)offset,
            };
            bool isDone = LibC.DeviceControl(destination, CloneRange, (int*)&arguments) == 0;
            error = isDone ? 0 : Marshal.GetLastWin32Error();
            return isDone;
        }
        finally
        {
            if (isHeld)
            {
                source.DangerousRelease();
            }
        }
    }

    /// <summary><c>struct file_clone_range</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct CloneArguments
    {
        internal long Source;
        internal ulong SourceOffset;
        internal ulong Length;
        internal ulong Offset;
    }
}

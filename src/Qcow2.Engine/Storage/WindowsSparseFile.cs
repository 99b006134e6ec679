using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>Holes on Windows, which a file has only after it was asked to.</summary>
internal static unsafe class WindowsSparseFile
{
    private const uint SetSparse = 0x000900c4; // FSCTL_SET_SPARSE
    private const uint SetCompression = 0x0009c040; // FSCTL_SET_COMPRESSION
    private const uint SetIntegrity = 0x0009c280; // FSCTL_SET_INTEGRITY_INFORMATION
    private const uint SetZeroData = 0x000980c8; // FSCTL_SET_ZERO_DATA
    private const uint QueryAllocatedRanges = 0x000940cf; // FSCTL_QUERY_ALLOCATED_RANGES

    /// <summary>Lets the file have holes where the file system can; where it cannot, the file is merely larger.</summary>
    internal static void TryMakeSparse(SafeFileHandle handle)
    {
        if (OperatingSystemInfo.IsWindows)
        {
            _ = WindowsDevice.Control(handle, SetSparse, null, 0, null, 0, out _);
        }
    }

    /// <summary>Has the file system compress what is written, or not, where it can.</summary>
    internal static void TryCompress(SafeFileHandle handle, bool isCompressed)
    {
        ushort format = (ushort)(isCompressed ? 1 : 0); // COMPRESSION_FORMAT_DEFAULT, COMPRESSION_FORMAT_NONE
        _ = WindowsDevice.Control(handle, SetCompression, &format, sizeof(ushort), null, 0, out _);
    }

    /// <summary>Has ReFS keep no check sums of an empty file.</summary>
    internal static void TryLeaveIntegrity(SafeFileHandle handle)
    {
        ulong none = 0; // FSCTL_SET_INTEGRITY_INFORMATION_BUFFER: CHECKSUM_TYPE_NONE and no flags
        _ = WindowsDevice.Control(handle, SetIntegrity, &none, sizeof(ulong), null, 0, out _);
    }

    internal static bool TryPunchHole(SafeFileHandle handle, long offset, long length)
    {
        Range range = new() { Offset = offset, Length = offset + length }; // FILE_ZERO_DATA_INFORMATION: start and end
        return WindowsDevice.Control(handle, SetZeroData, &range, sizeof(Range), null, 0, out _);
    }

    internal static StorageRun RunAt(SafeFileHandle handle, long offset, long length)
    {
        Range query = new() { Offset = offset, Length = length - offset };
        Range first;
        bool complete = WindowsDevice.Control(handle, QueryAllocatedRanges, &query, sizeof(Range), &first, sizeof(Range), out int returned);

        // ERROR_MORE_DATA: there are further ranges, and the first one is enough.
        if (!complete && Marshal.GetLastWin32Error() != 234)
        {
            return new StorageRun(true, length);
        }

        if (returned < sizeof(Range))
        {
            return new StorageRun(false, length);
        }

        return first.Offset > offset
            ? new StorageRun(false, Math.Min(first.Offset, length))
            : new StorageRun(true, Math.Min(first.Offset + first.Length, length));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Range
    {
        internal long Offset;
        internal long Length;
    }
}

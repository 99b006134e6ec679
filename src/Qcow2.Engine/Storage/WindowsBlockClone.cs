using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>Clusters that files share on Windows, which ReFS can ("Block cloning on ReFS").</summary>
internal static unsafe class WindowsBlockClone
{
    private const uint GetIntegrity = 0x0009027c; // FSCTL_GET_INTEGRITY_INFORMATION, which is known to ReFS only
    private const uint DuplicateExtents = 0x00098344; // FSCTL_DUPLICATE_EXTENTS_TO_FILE
    private const uint SharesBlocks = 0x08000000; // FILE_SUPPORTS_BLOCK_REFCOUNTING

    /// <summary>Asks whether one file can share what lies in another.</summary>
    /// <returns>The clusters that are shared whole, in bytes; 0 if nothing can be shared.</returns>
    internal static int UnitOf(SafeFileHandle source, SafeFileHandle destination, out string? refusal)
    {
        refusal = "the volume shares no clusters between files";
        if (!TryGetVolume(destination, out uint volume, out uint flags) || (flags & SharesBlocks) == 0)
        {
            return 0;
        }

        if (!TryGetVolume(source, out uint other, out _) || other != volume)
        {
            refusal = "the files are on two volumes";
            return 0;
        }

        IntegrityInformation information;
        if (!WindowsDevice.Control(destination, GetIntegrity, null, 0, &information, sizeof(IntegrityInformation), out _)
            || information.ClusterSize is < 512 or > (1 << 20) || (information.ClusterSize & (information.ClusterSize - 1)) != 0)
        {
            return 0;
        }

        refusal = null;
        return (int)information.ClusterSize;
    }

    /// <summary>Shares a range, which must lie inside the destination already.</summary>
    internal static bool TryShare(SafeFileHandle source, long sourceOffset, SafeFileHandle destination, long offset, long length, out string? refusal)
    {
        bool isHeld = false;
        try
        {
            source.DangerousAddRef(ref isHeld);
            DuplicateArguments arguments = new() { Source = source.DangerousGetHandle(), SourceOffset = sourceOffset, Offset = offset, Length = length };
            bool isDone = WindowsDevice.Control(destination, DuplicateExtents, &arguments, sizeof(DuplicateArguments), null, 0, out _);
            refusal = isDone ? null : new Win32Exception(Marshal.GetLastWin32Error()).Message;
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

    private static bool TryGetVolume(SafeFileHandle file, out uint serial, out uint flags)
        => GetVolumeInformationByHandleW(file, null, 0, out serial, out _, out flags, null, 0);

    [DllImport("kernel32", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool GetVolumeInformationByHandleW(
        SafeFileHandle file, char* name, uint nameLength, out uint serial, out uint longestName, out uint flags, char* fileSystem, uint fileSystemLength);

    /// <summary><c>FSCTL_GET_INTEGRITY_INFORMATION_BUFFER</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct IntegrityInformation
    {
        internal ushort Algorithm;
        internal ushort Reserved;
        internal uint Flags;
        internal uint ChunkSize;
        internal uint ClusterSize;
    }

    /// <summary><c>DUPLICATE_EXTENTS_DATA</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct DuplicateArguments
    {
        internal IntPtr Source;
        internal long SourceOffset;
        internal long Offset;
        internal long Length;
    }
}

using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>What is asked of a Windows file system or device by a code of its own (FSCTL, IOCTL).</summary>
internal static unsafe class WindowsDevice
{
    /// <summary>Asks, and waits for the answer.</summary>
    /// <param name="device">The file or device.</param>
    /// <param name="code">What is asked.</param>
    /// <param name="input">What goes with it; null for nothing.</param>
    /// <param name="inputSize">Bytes of that.</param>
    /// <param name="output">Where the answer goes; null for none.</param>
    /// <param name="outputSize">Bytes of room for it.</param>
    /// <param name="returned">Bytes of the answer.</param>
    /// <returns>False if it was refused; <see cref="Marshal.GetLastWin32Error"/> says why.</returns>
    internal static bool Control(SafeFileHandle device, uint code, void* input, int inputSize, void* output, int outputSize, out int returned)
        => DeviceIoControl(device, code, input, inputSize, output, outputSize, out returned, IntPtr.Zero);

    [DllImport("kernel32", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool DeviceIoControl(
        SafeFileHandle device, uint code, void* input, int inputSize, void* output, int outputSize, out int returned, IntPtr overlapped);
}

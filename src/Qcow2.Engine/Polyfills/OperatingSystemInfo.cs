using System.Runtime.InteropServices;

namespace Qcow2.Engine;

/// <summary>Which operating system this is, asked once.</summary>
internal static class OperatingSystemInfo
{
    internal static readonly bool IsWindows = RuntimeInformation.IsOSPlatform(OSPlatform.Windows);
}

using Qcow2.Engine;

namespace Qcow2.PowerShell.Operations;

/// <summary>A disk with what must be closed after it.</summary>
/// <param name="disk">The disk.</param>
/// <param name="image">The image that it is of, which may be the disk itself; null for a raw disk.</param>
internal sealed class OpenedDisk(VirtualDisk disk, Qcow2Image? image) : IDisposable
{
    internal VirtualDisk Disk => disk;

    internal Qcow2Image? Image => image;

    public void Dispose()
    {
        disk.Dispose();
        image?.Dispose();
    }
}

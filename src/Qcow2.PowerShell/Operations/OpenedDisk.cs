using Qcow2.Engine;
using Qcow2.Engine.Format;

namespace Qcow2.PowerShell.Operations;

/// <summary>A disk with what must be closed after it.</summary>
/// <param name="disk">The disk.</param>
/// <param name="image">The image that it is of, which may be the disk itself; null for a raw disk.</param>
/// <param name="snapshot">The snapshot that it is of; null for the active disk.</param>
internal sealed class OpenedDisk(VirtualDisk disk, Qcow2Image? image, SnapshotTableEntry? snapshot = null) : IDisposable
{
    internal VirtualDisk Disk => disk;

    internal Qcow2Image? Image => image;

    internal SnapshotTableEntry? Snapshot => snapshot;

    /// <summary>What is closed with the disk, where that outlives the command; null for nothing.</summary>
    internal ImageLocation? Location { get; set; }

    public void Dispose()
    {
        disk.Dispose();
        image?.Dispose();
        Location?.Dispose();
    }
}

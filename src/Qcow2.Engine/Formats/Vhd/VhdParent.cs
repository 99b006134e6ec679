using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>The disk below a differencing one, and what tells whether it is the right one.</summary>
/// <param name="Disk">The disk. Whoever opens a child over it hands it over.</param>
/// <param name="UniqueId">The id in its footer; null where nobody looked, because it was not opened.</param>
/// <param name="TimeStamp">The time in its footer.</param>
internal sealed record VhdParent(VirtualDisk Disk, Guid? UniqueId, uint TimeStamp)
{
    /// <summary>The parent that a VHD disk is.</summary>
    internal static VhdParent Of(VhdDisk disk) => new(disk, disk.Structure.Footer.UniqueId, disk.Structure.Footer.TimeStamp);
}

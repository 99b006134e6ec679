namespace Qcow2.Engine.Formats.Vdi;

/// <summary>Where things lie in a VDI file that is made here.</summary>
internal static class VdiNewLayout
{
    /// <summary>Unit of allocation: the only one that QEMU knows, and what VirtualBox makes.</summary>
    internal const long BlockSize = 1 << 20;

    /// <summary>Where the block map lies.</summary>
    internal const long MapOffset = 1 << 20;

    /// <summary>The largest disk that QEMU reads. Its map ends, and its data begins, where offsets of 32 bits reach.</summary>
    internal const long MaxDiskSize = 0x1fff_ff80L << 20;

    /// <summary>Blocks of a disk.</summary>
    internal static long BlocksOf(long diskSize) => (diskSize + BlockSize - 1) / BlockSize;

    /// <summary>Where the first block lies: at the next whole MiB behind the map.</summary>
    internal static long DataOffsetOf(long diskSize) => (MapOffset + (BlocksOf(diskSize) * sizeof(uint)) + BlockSize - 1) & -BlockSize;
}

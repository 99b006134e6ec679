namespace Qcow2.Engine;

/// <summary>Sizes of disks, as QCOW2 images are given them.</summary>
public static class DiskSize
{
    /// <summary>Bytes in a sector, the unit in which QEMU counts: of a disk that ends inside one it does not show the last bytes.</summary>
    public const int SectorSize = 512;

    /// <summary>The size that an image gets where this one is asked for: the next whole number of sectors.</summary>
    /// <param name="size">Bytes.</param>
    /// <returns>Bytes; the size itself if it is negative or no larger number of sectors can be counted.</returns>
    public static long RoundUp(long size)
        => size < 0 || size > long.MaxValue - (SectorSize - 1) ? size : (size + (SectorSize - 1)) & ~(SectorSize - 1L);
}

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>
/// Where things lie in a dynamic VHD that is made here: as in those of Windows 8 and later, whose data lies at multiples of 4 KiB, with the block's
/// bitmap in the sector before it.
/// </summary>
internal static class VhdNewLayout
{
    /// <summary>Where the block allocation table lies: right behind the copy of the footer and the dynamic disk header.</summary>
    internal const long TableOffset = VhdFooter.Length + VhdDynamicHeader.Length;

    /// <summary>The larger of the two sizes that Windows makes, and the usual one.</summary>
    internal const int LargeBlock = 2 << 20;

    /// <summary>The smaller one.</summary>
    internal const int SmallBlock = 512 << 10;

    /// <summary>The largest disk that Windows opens, and QEMU: what sectors of 32 bits reach in a file with its bitmaps.</summary>
    internal const long MaxDiskSize = 2040L << 30;

    /// <summary>The largest fixed disk, which only Azure takes.</summary>
    internal const long MaxFixedSize = 32L << 40;

    /// <summary>Bytes before a block's data that are its own: its bitmap is the last sector of them.</summary>
    internal const int Lead = 4096;

    /// <summary>An entry is a sector, and the highest number stands for none.</summary>
    private const long MaxFileSize = (long)uint.MaxValue * VhdLimits.SectorSize;

    /// <summary>Blocks of a disk.</summary>
    internal static long BlocksOf(long diskSize, int blockSize) => (diskSize + blockSize - 1) / blockSize;

    /// <summary>Bytes of the table, with what fills its last sector.</summary>
    internal static long TableLengthOf(long diskSize, int blockSize)
        => ((BlocksOf(diskSize, blockSize) * sizeof(uint)) + VhdLimits.SectorSize - 1) & -VhdLimits.SectorSize;

    /// <summary>Where the data of a block lies, counted in the order in which they got their place.</summary>
    internal static long PlaceOf(long diskSize, int blockSize, long index)
        => ((TableOffset + TableLengthOf(diskSize, blockSize) + Lead - 1) & -Lead) + Lead + (index * (Lead + blockSize));

    /// <summary>Where the footer lies behind so many blocks: where the bitmap of the next one would.</summary>
    internal static long FooterOf(long diskSize, int blockSize, long blocks) => PlaceOf(diskSize, blockSize, blocks) - VhdFooter.Length;

    /// <summary>The largest dynamic disk: one that can be filled to its end.</summary>
    internal static long MaxSizeOf(int blockSize)
    {
        long blocks = MaxFileSize / (Lead + blockSize);
        while (FooterOf(blocks * blockSize, blockSize, blocks) > MaxFileSize)
        {
            blocks--;
        }

        return Math.Min(MaxDiskSize, blocks * blockSize);
    }
}

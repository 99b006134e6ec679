namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>Sizes and places that the format fixes ([MS-VHDX] 2.2), in bytes.</summary>
internal static class VhdxLimits
{
    internal const int MiB = 1 << 20;

    /// <summary>Headers and region tables lie where nothing else may: in the first MiB.</summary>
    internal const long HeaderSectionLength = MiB;

    internal const long FirstHeaderOffset = 64 << 10;

    internal const long SecondHeaderOffset = 128 << 10;

    internal const long FirstRegionTableOffset = 192 << 10;

    internal const long SecondRegionTableOffset = 256 << 10;

    /// <summary>Everything but headers is aligned to this.</summary>
    internal const int LogSectorSize = 4096;

    internal const long MaxDiskSize = 64L << 40;

    internal const int MinBlockSize = MiB;

    internal const int MaxBlockSize = 256 * MiB;

    /// <summary>Sectors that one block of the sector bitmap, of a MiB, tells of.</summary>
    internal const long SectorsInChunk = 1 << 23;

    /// <summary>Blocks that one bitmap tells of, whose entry follows theirs in the block allocation table.</summary>
    internal static long ChunkRatioOf(int logicalSectorSize, int blockSize) => SectorsInChunk * logicalSectorSize / blockSize;

    /// <summary>
    /// A log that this engine replays. Windows makes logs of a MiB; what is larger than this can only be meant to take time.
    /// </summary>
    internal const long MaxLogLength = 64 * MiB;

    /// <summary>Most descriptors of a log that is replayed.</summary>
    internal const int MaxLogDescriptors = 1 << 20;
}

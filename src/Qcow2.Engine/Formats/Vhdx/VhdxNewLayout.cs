namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>
/// Where things lie in a VHDX file that is made here: as in those of Windows the log at 1 MiB, metadata at 2, the block allocation table at 3, and data
/// behind it, all at whole MiB.
/// </summary>
/// <param name="DiskSize">Size of the disk, in bytes.</param>
/// <param name="BlockSize">Unit of allocation, in bytes.</param>
/// <param name="LogicalSectorSize">Bytes of a sector as the guest addresses it.</param>
internal readonly record struct VhdxNewLayout(long DiskSize, int BlockSize, int LogicalSectorSize)
{
    internal const long LogOffset = VhdxLimits.MiB;

    internal const long LogLength = VhdxLimits.MiB;

    internal const int DynamicBlock = 32 * VhdxLimits.MiB;

    /// <summary>A fixed disk's last block is there to its end, so that its blocks are small.</summary>
    internal const int FixedBlock = 2 * VhdxLimits.MiB;

    internal static VhdxRegion Metadata { get; } = new("the metadata", 2 * VhdxLimits.MiB, VhdxLimits.MiB);

    internal long BlockCount => (DiskSize + BlockSize - 1) / BlockSize;

    /// <summary>Entries: those of the blocks, and between each chunk and the next one that of a bitmap, also where there are no bitmaps.</summary>
    internal long EntryCount => BlockCount + ((BlockCount - 1) / ChunkRatio);

    internal VhdxRegion BlockTable
        => new("the block allocation table", Metadata.End, ((EntryCount * sizeof(ulong)) + VhdxLimits.MiB - 1) & -VhdxLimits.MiB);

    private long ChunkRatio => VhdxLimits.ChunkRatioOf(LogicalSectorSize, BlockSize);

    /// <summary>Where a block lies, counted in the order in which they got their place.</summary>
    internal long PlaceOf(long index) => BlockTable.End + (index * BlockSize);

    /// <summary>The entry of a block of the disk.</summary>
    internal long EntryOf(long block) => block + (block / ChunkRatio);
}

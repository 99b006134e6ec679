using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Formats.Vhdx;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>How to lay out a new VHDX (Hyper-V): as Windows does it, with everything at whole MiB.</summary>
/// <remarks>On Windows the file has no holes and is neither compressed nor encrypted, because Hyper-V takes no other.</remarks>
public sealed record VhdxCreateOptions : BlockCreateOptions
{
    private const int SmallSector = 512;
    private const int LargeSector = 4096;

    /// <summary>A dynamic one.</summary>
    public static VhdxCreateOptions Default { get; } = new();

    /// <summary>Whether every block has its place from the start, in the order of the disk.</summary>
    public bool IsFixed { get; init; }

    /// <summary>Bytes of a block: 1 to 256 MiB, a power of two; by default as Windows, 32 MiB of a dynamic disk and 2 MiB of a fixed one.</summary>
    public int? BlockSize { get; init; }

    /// <summary>
    /// Bytes of a sector as the guest addresses it: 512, the default, or 4096. A guest finds nothing on a disk whose partitions were made with sectors
    /// of the other size. The disk's size is rounded up to whole sectors.
    /// </summary>
    public int LogicalSectorSize { get; init; } = SmallSector;

    /// <summary>Bytes of a sector as the guest should write it: 4096, the default, or 512.</summary>
    public int PhysicalSectorSize { get; init; } = LargeSector;

    /// <inheritdoc/>
    public override string FormatName => "vhdx";

    private protected override string Subject => "A VHDX image";

    private protected override bool IsOrdinaryFile => true;

    private protected override bool IsWhole => IsFixed;

    /// <inheritdoc/>
    public override long DiskSizeFor(long size)
    {
        Check();
        return size > VhdxLimits.MaxDiskSize ? throw Qcow2Errors.Limit("The size of a VHDX image's disk", (ulong)size, VhdxLimits.MaxDiskSize, "bytes")
            : size == 0 ? throw new Qcow2Exception(Qcow2ErrorCode.LimitExceeded, "A VHDX image cannot have a disk of 0 bytes: it has a sector at least.")
            : (size + LogicalSectorSize - 1) & -LogicalSectorSize;
    }

    private protected override long BlockSizeOf(long diskSize) => Layout(diskSize).BlockSize;

    private protected override long FileSizeOf(long diskSize, long blocks) => Layout(diskSize).PlaceOf(blocks);

    private protected override BlockTarget NewTarget(BlockStorage file, long diskSize, int sparseSize)
    {
        VhdxNewLayout layout = Layout(diskSize);
        var metadata = new VhdxMetadata(diskSize, layout.BlockSize, IsFixed, HasParent: false, LogicalSectorSize, PhysicalSectorSize, NewId(), null);
        return new VhdxTarget(file, layout, metadata, sparseSize, FillsSkipped, NewId);
    }

    private VhdxNewLayout Layout(long diskSize) => new(diskSize, BlockSize ?? (IsFixed ? VhdxNewLayout.FixedBlock : VhdxNewLayout.DynamicBlock), LogicalSectorSize);

    private void Check()
    {
        if (BlockSize is int size && (size is < VhdxLimits.MinBlockSize or > VhdxLimits.MaxBlockSize || (size & (size - 1)) != 0))
        {
            throw new ArgumentException($"The blocks of a VHDX image have 1 to 256 MiB, in a power of two, not {size} bytes.", nameof(BlockSize));
        }

        RequireSector(LogicalSectorSize, nameof(LogicalSectorSize));
        RequireSector(PhysicalSectorSize, nameof(PhysicalSectorSize));
        if (PhysicalSectorSize < LogicalSectorSize)
        {
            throw new ArgumentException("A sector that a guest should write cannot be smaller than one that it can address.", nameof(PhysicalSectorSize));
        }
    }

    private static void RequireSector(int size, string name)
    {
        if (size is not (SmallSector or LargeSector))
        {
            throw new ArgumentException($"The sectors of a VHDX image have 512 or 4096 bytes, not {size}.", name);
        }
    }
}

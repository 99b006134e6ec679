using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Formats.Vdi;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>How to lay out a new VDI file (VirtualBox): as VirtualBox does it, with blocks of 1 MiB, the map at 1 MiB and the data behind it, at a whole MiB.</summary>
public sealed record VdiCreateOptions : BlockCreateOptions
{
    /// <summary>A dynamic one.</summary>
    public static VdiCreateOptions Default { get; } = new();

    /// <summary>Whether every block has its place from the start, in the order of the disk.</summary>
    public bool IsFixed { get; init; }

    /// <inheritdoc/>
    public override string FormatName => "vdi";

    private protected override string Subject => "A VDI image";

    private protected override bool IsWhole => IsFixed;

    /// <inheritdoc/>
    public override long DiskSizeFor(long size) => size switch
    {
        0 => throw new Qcow2Exception(Qcow2ErrorCode.LimitExceeded, "A VDI image has a disk of one sector at least: VirtualBox opens none that is empty."),
        > VdiNewLayout.MaxDiskSize => throw Qcow2Errors.Limit("The size of a VDI image's disk", (ulong)size, VdiNewLayout.MaxDiskSize, "bytes"),
        _ => DiskSize.RoundUp(size),
    };

    private protected override long BlockSizeOf(long diskSize) => VdiNewLayout.BlockSize;

    private protected override long FileSizeOf(long diskSize, long blocks) => VdiNewLayout.DataOffsetOf(diskSize) + (blocks * VdiNewLayout.BlockSize);

    private protected override BlockTarget NewTarget(BlockStorage file, long diskSize, int sparseSize) => new VdiTarget(file, diskSize, IsFixed, sparseSize, NewId);
}

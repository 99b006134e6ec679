using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Formats.Vhd;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>
/// How to lay out a new VHD (Hyper-V, Azure): as Windows 8 and later do it, with data at multiples of 4 KiB. The disk's size is kept exactly, to whole
/// sectors; it is never rounded to a geometry.
/// </summary>
/// <remarks>On Windows the file has no holes and is neither compressed nor encrypted, because Hyper-V takes no other.</remarks>
public sealed record VhdCreateOptions : BlockCreateOptions
{
    /// <summary>
    /// The largest disk that Windows and QEMU open, 2,040 GiB, and the largest of a dynamic VHD with blocks of 2 MiB. Of a larger one a fixed VHD can be made,
    /// which only Azure takes.
    /// </summary>
    public const long MaxCommonSize = VhdNewLayout.MaxDiskSize;

    /// <summary>A dynamic one.</summary>
    public static VhdCreateOptions Default { get; } = new();

    /// <summary>Whether the file is the disk's bytes and a footer, in place of blocks that get their place with their first data.</summary>
    public bool IsFixed { get; init; }

    /// <summary>Bytes of a block of a dynamic disk: 2 MiB, which is usual, or 512 KiB. Windows makes no other.</summary>
    public int? BlockSize { get; init; }

    /// <summary>
    /// Whether it is to be one that Azure takes: fixed, whatever <see cref="IsFixed"/> says, its disk rounded up to whole MiB, and to 20 MiB at least
    /// (<see cref="AzureDisk"/>).
    /// </summary>
    public bool AzureReady { get; init; }

    /// <inheritdoc/>
    public override string FormatName => "vhd";

    /// <summary>Says what time it is; tests make it foreseeable.</summary>
    internal Func<DateTime> Now { get; init; } = () => DateTime.UtcNow;

    private protected override string Subject => "A VHD image";

    private protected override bool IsOrdinaryFile => true;

    private protected override bool IsWhole => IsFixed || AzureReady;

    private int DynamicBlockSize => BlockSize ?? VhdNewLayout.LargeBlock;

    /// <inheritdoc/>
    public override long DiskSizeFor(long size)
    {
        Check();
        long limit = IsWhole ? VhdNewLayout.MaxFixedSize : VhdNewLayout.MaxSizeOf(DynamicBlockSize);
        return size > limit
            ? throw new Qcow2Exception(
                Qcow2ErrorCode.LimitExceeded,
                IsWhole
                    ? $"The disk has {size} bytes; a fixed VHD image has {limit} (32 TiB) at most, which is what Azure takes."
                    : $"The disk has {size} bytes; a dynamic VHD image with blocks of {DynamicBlockSize} bytes has {limit} at most. Make a VHDX image of it.")
            : AzureReady ? AzureDisk.SizeFor(size) : DiskSize.RoundUp(size);
    }

    private protected override long BlockSizeOf(long diskSize) => DynamicBlockSize;

    private protected override long FileSizeOf(long diskSize, long blocks)
        => (IsWhole ? diskSize : VhdNewLayout.FooterOf(diskSize, DynamicBlockSize, blocks)) + VhdFooter.Length;

    private protected override BlockTarget NewTarget(BlockStorage file, long diskSize, int sparseSize)
    {
        VhdFooter footer = FooterOf(diskSize);
        return IsWhole ? new VhdFixedTarget(file, footer, sparseSize, FillsSkipped) : new VhdDynamicTarget(file, footer, DynamicBlockSize, sparseSize);
    }

    private void Check()
    {
        if (BlockSize is int size)
        {
            if (IsWhole)
            {
                throw new ArgumentException($"A fixed VHD image has no blocks, so that they cannot have {size} bytes.", nameof(BlockSize));
            }

            if (size is not (VhdNewLayout.LargeBlock or VhdNewLayout.SmallBlock))
            {
                throw new ArgumentException($"The blocks of a VHD image have 2 MiB or 512 KiB, not {size} bytes.", nameof(BlockSize));
            }
        }
    }

    private VhdFooter FooterOf(long diskSize) => new()
    {
        Features = 2,
        FormatVersion = 0x0001_0000,
        DataOffset = IsWhole ? VhdFooter.NoDataOffset : VhdFooter.Length,
        TimeStamp = VhdFooter.TimeStampOf(Now()),
        CreatorApplication = 0x7769_6e20, // "win ": of what is not by Windows, QEMU believes the geometry, and cuts the disk to it.
        CreatorVersion = 0x000a_0000,
        CreatorHostOs = 0x5769_326b, // "Wi2k"
        OriginalSize = (ulong)diskSize,
        CurrentSize = (ulong)diskSize,
        Geometry = VhdGeometry.Of(diskSize),
        DiskType = IsWhole ? VhdDiskType.Fixed : VhdDiskType.Dynamic,
        UniqueId = NewId(),
    };
}

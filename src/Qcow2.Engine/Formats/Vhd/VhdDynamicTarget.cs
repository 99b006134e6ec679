using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>A new dynamic VHD that a disk is copied into.</summary>
/// <param name="file">The file, which is empty.</param>
/// <param name="footer">The footer, which says how large the disk is.</param>
/// <param name="blockSize">Bytes of a block.</param>
/// <param name="sparseSize">Runs of zeros of this size are not written; 0 writes everything.</param>
internal sealed class VhdDynamicTarget(BlockStorage file, VhdFooter footer, int blockSize, int sparseSize) : BlockTarget(file, blockSize, sparseSize)
{
    /// <summary>Some readers take a sector whose bit is clear as zeros whatever is there, so that of a block that is there all bits are set.</summary>
    private static readonly byte[] FullBitmap = [.. Enumerable.Repeat(byte.MaxValue, VhdLimits.SectorSize)];

    private readonly NewTable _table =
        new(file, VhdNewLayout.TableOffset, VhdNewLayout.TableLengthOf((long)footer.CurrentSize, blockSize), filler: 0xff);

    private long _allocated;

    private long DiskSize => (long)footer.CurrentSize;

    /// <inheritdoc/>
    internal override void Complete()
    {
        _table.Complete();
        byte[] bytes = footer.ToBytes();
        File.Write(VhdNewLayout.FooterOf(DiskSize, blockSize, _allocated), bytes);
        var header = new VhdDynamicHeader
        {
            TableOffset = (ulong)VhdNewLayout.TableOffset,
            HeaderVersion = 0x0001_0000,
            MaxTableEntries = (uint)VhdNewLayout.BlocksOf(DiskSize, blockSize),
            BlockSize = (uint)blockSize,
        };
        File.Write(0, [.. bytes, .. header.ToBytes()]);
    }

    /// <inheritdoc/>
    /// <remarks>A bitmap of one sector lies before each.</remarks>
    protected override long PlaceUnit => VhdLimits.SectorSize;

    /// <inheritdoc/>
    protected override long Allocate(long block)
    {
        long place = VhdNewLayout.PlaceOf(DiskSize, blockSize, _allocated++);
        _table.SetUInt32(block, (uint)((place - FullBitmap.Length) / VhdLimits.SectorSize), isBigEndian: true);
        return place;
    }

    /// <inheritdoc/>
    protected override void BeginBlock(long place) => File.Write(place - FullBitmap.Length, FullBitmap);
}

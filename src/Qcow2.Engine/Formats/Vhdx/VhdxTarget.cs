using System.Text;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>
/// A new VHDX file that a disk is copied into ([MS-VHDX]). Nobody opens it before it is complete, so that nothing is in its log and its headers are
/// written once.
/// </summary>
/// <param name="file">The file, which is empty.</param>
/// <param name="layout">Where things lie.</param>
/// <param name="metadata">What the disk is.</param>
/// <param name="sparseSize">Runs of zeros of this size are not written; 0 writes everything.</param>
/// <param name="fillsSkipped">Whether the host fills what is skipped.</param>
/// <param name="newId">Makes ids.</param>
internal sealed class VhdxTarget(BlockStorage file, VhdxNewLayout layout, VhdxMetadata metadata, int sparseSize, bool fillsSkipped, Func<Guid> newId)
    : BlockTarget(file, layout.BlockSize, sparseSize)
{
    private const string Creator = "Qcow2 for PowerShell";

    private readonly NewTable _table = new(file, layout.BlockTable.Offset, layout.EntryCount * sizeof(ulong));
    private long _allocated;

    /// <inheritdoc/>
    protected override long FilledSize => fillsSkipped && metadata.IsFixed ? layout.DiskSize : 0;

    /// <inheritdoc/>
    internal override void Complete()
    {
        if (metadata.IsFixed)
        {
            while (_allocated < layout.BlockCount)
            {
                Show(_allocated, _allocated++);
            }
        }

        _table.Complete();
        File.LengthenTo(layout.PlaceOf(_allocated));
        File.Write(VhdxNewLayout.Metadata.Offset, metadata.ToBytes());
        byte[] regions = new VhdxRegions(layout.BlockTable, VhdxNewLayout.Metadata).ToBytes();
        File.Write(VhdxLimits.FirstRegionTableOffset, regions);
        File.Write(VhdxLimits.SecondRegionTableOffset, regions);
        var header = new VhdxHeader(1, newId(), newId(), Guid.Empty, VhdxNewLayout.LogOffset, VhdxNewLayout.LogLength);
        File.Write(VhdxLimits.FirstHeaderOffset, header.ToBytes());
        File.Write(VhdxLimits.SecondHeaderOffset, (header with { Sequence = header.Sequence + 1 }).ToBytes());
        File.Write(0, [.. "vhdxfile"u8, .. Encoding.Unicode.GetBytes(Creator)]);
    }

    /// <inheritdoc/>
    protected override long PlaceUnit => 1 << 20;

    /// <inheritdoc/>
    protected override long Allocate(long block)
    {
        if (metadata.IsFixed)
        {
            return layout.PlaceOf(block);
        }

        Show(block, _allocated);
        return layout.PlaceOf(_allocated++);
    }

    private void Show(long block, long index)
        => _table.SetUInt64(layout.EntryOf(block), (ulong)layout.PlaceOf(index) | (ulong)VhdxBlockState.FullyPresent);
}

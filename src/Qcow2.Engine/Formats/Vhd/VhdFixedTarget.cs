using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>A new fixed VHD that a disk is copied into: its bytes, and a footer.</summary>
/// <param name="file">The file, which is empty.</param>
/// <param name="footer">The footer, which says how large the disk is.</param>
/// <param name="sparseSize">Runs of zeros of this size are not written; 0 writes everything.</param>
/// <param name="fillsSkipped">Whether the host fills what is skipped.</param>
internal sealed class VhdFixedTarget(BlockStorage file, VhdFooter footer, int sparseSize, bool fillsSkipped) : BlockTarget(file, VhdNewLayout.LargeBlock, sparseSize)
{
    /// <inheritdoc/>
    protected override long FilledSize => fillsSkipped ? (long)footer.CurrentSize : 0;

    /// <inheritdoc/>
    internal override void Complete() => File.Write((long)footer.CurrentSize, footer.ToBytes());

    /// <inheritdoc/>
    protected override long Allocate(long block) => block * BlockSize;
}

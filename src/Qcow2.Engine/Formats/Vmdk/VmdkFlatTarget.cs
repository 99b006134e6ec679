using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>A new flat extent: each byte of the disk has its place.</summary>
/// <param name="file">The file, which is empty.</param>
/// <param name="length">Bytes of the disk that lie in it.</param>
/// <param name="sparseSize">Runs of zeros of this size are not written; 0 writes everything.</param>
internal sealed class VmdkFlatTarget(BlockStorage file, long length, int sparseSize) : BlockTarget(file, VmdkNewLayout.GrainSize, sparseSize)
{
    /// <inheritdoc/>
    internal override void Complete() => File.LengthenTo(length);

    /// <inheritdoc/>
    protected override long Allocate(long block) => block * VmdkNewLayout.GrainSize;
}

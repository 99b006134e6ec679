using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>An extent without a file: zeros, or nothing that anybody may read.</summary>
internal sealed class VmdkZeroExtent(VmdkExtentLine line) : VmdkExtent
{
    /// <inheritdoc/>
    internal override long Length => line.Sectors * VmdkLimits.SectorSize;

    /// <inheritdoc/>
    internal override BlockStorage? File => null;

    /// <inheritdoc/>
    internal override VmdkStretch Find(long offset, long length) => line.Access != VmdkAccess.None
        ? new VmdkStretch(VmdkStretchKind.Zero, length, 0)
        : throw Qcow2Errors.Corrupt("The VMDK descriptor says NOACCESS of this part of the disk: nobody knows what it holds.");

    /// <inheritdoc/>
    internal override void Read(VmdkStretch stretch, long offset, Span<byte> buffer) => buffer.Clear();

    /// <inheritdoc/>
    internal override long DamageEnd(long offset) => Length;
}

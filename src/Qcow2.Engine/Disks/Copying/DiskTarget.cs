using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.Copying;

/// <summary>A destination in which each byte has its place already, such as a raw disk: the order of writing changes nothing.</summary>
/// <param name="disk">The disk.</param>
/// <param name="isZero">Whether all of it reads as zeros.</param>
/// <param name="sparseSize">Blocks of zeros of this size are not written as data; 0 for none.</param>
internal sealed class DiskTarget(VirtualDisk disk, bool isZero, int sparseSize) : CopyTarget
{
    /// <inheritdoc/>
    internal override int Unit => Math.Max(512, sparseSize);

    /// <inheritdoc/>
    internal override int MaxParcelBytes => 2 << 20;

    /// <inheritdoc/>
    internal override bool WritesZeros => !isZero;

    /// <inheritdoc/>
    internal override CopyParcel NewParcel() => new(MaxParcelBytes);

    /// <inheritdoc/>
    internal override void Finish(CopyParcel parcel)
    {
        CopyPiece piece = parcel.Piece;
        if (!piece.IsData)
        {
            disk.WriteZeroesCore(piece.Offset, piece.Length, keepAllocation: false);
            return;
        }

        ReadOnlySpan<byte> data = parcel.Data;
        for (int start = 0; start < data.Length;)
        {
            bool zeros = false;
            int end = sparseSize == 0 ? data.Length : SparseBlocks.EndOfRun(piece.Offset, data, start, sparseSize, out zeros);
            if (!zeros)
            {
                disk.WriteCore(piece.Offset + start, data.Slice(start, end - start));
            }
            else if (!isZero)
            {
                disk.WriteZeroesCore(piece.Offset + start, end - start, keepAllocation: false);
            }

            start = end;
        }
    }
}

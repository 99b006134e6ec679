using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Layering;

/// <summary>
/// A disk that others are merged into. Pieces of whole units go there as in any copy; what begins or ends inside a unit is written as a guest writes it,
/// beside what the unit holds.
/// </summary>
/// <param name="destination">The disk.</param>
/// <param name="inner">What a copy into it writes to; owned from now on.</param>
internal sealed class MergeTarget(VirtualDisk destination, CopyTarget inner) : CopyTarget
{
    /// <inheritdoc/>
    internal override int Unit => inner.Unit;

    /// <inheritdoc/>
    internal override int MaxParcelBytes => inner.MaxParcelBytes;

    /// <inheritdoc/>
    internal override bool WritesZeros => true;

    /// <inheritdoc/>
    internal override int MaxWriters => inner.MaxWriters;

    /// <inheritdoc/>
    internal override int MaxSharedBytes => inner.MaxSharedBytes;

    /// <inheritdoc/>
    internal override bool CopiesInHost => destination is not Qcow2Image image || image.Header.EncryptionMethod == EncryptionMethod.None;

    /// <inheritdoc/>
    internal override CopyParcel NewParcel() => inner.NewParcel();

    /// <inheritdoc/>
    internal override int ShareUnit(BlockStorage source, out string? refusal) => inner.ShareUnit(source, out refusal);

    /// <inheritdoc/>
    internal override void Prepare(CopyParcel parcel)
    {
        if (IsWhole(parcel.Piece))
        {
            inner.Prepare(parcel);
        }
    }

    /// <inheritdoc/>
    internal override void Place(CopyParcel parcel)
    {
        if (IsWhole(parcel.Piece))
        {
            inner.Place(parcel);
        }
    }

    /// <inheritdoc/>
    internal override void Finish(CopyParcel parcel)
    {
        if (IsWhole(parcel.Piece))
        {
            inner.Finish(parcel);
        }
        else if (parcel.Piece.IsData)
        {
            destination.WriteCore(parcel.Piece.Offset, parcel.Data);
        }
        else
        {
            destination.WriteZeroesCore(parcel.Piece.Offset, parcel.Piece.Length, keepAllocation: false);
        }
    }

    /// <inheritdoc/>
    internal override void FinishShared(CopyParcel parcel, SharedExtents sharing, DiskRead read) => inner.FinishShared(parcel, sharing, read);

    /// <inheritdoc/>
    internal override void Abandon(CopyParcel parcel)
    {
        if (IsWhole(parcel.Piece))
        {
            inner.Abandon(parcel);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        inner.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Whether no other piece has a part of its units. The last unit of the disk may be shorter.</summary>
    private bool IsWhole(CopyPiece piece)
    {
        long end = piece.Offset + piece.Length;
        return (piece.Offset & (Unit - 1)) == 0 && ((end & (Unit - 1)) == 0 || end == destination.Length);
    }
}

using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>A disk that is divided into files of one size, each of which takes its part as if it were a disk.</summary>
/// <param name="targets">What each part goes to, in the order of the disk; at least one.</param>
internal sealed class VmdkSplitTarget(IReadOnlyList<CopyTarget> targets) : CopyTarget
{
    /// <summary>No parcel lies in two files: the parts have whole MiB.</summary>
    private const int ParcelBytes = 1 << 20;

    private int _completed;

    /// <inheritdoc/>
    internal override int Unit => targets[0].Unit;

    /// <inheritdoc/>
    internal override int MaxParcelBytes => targets.Count == 1 ? targets[0].MaxParcelBytes : ParcelBytes;

    /// <inheritdoc/>
    internal override bool WritesZeros => targets[0].WritesZeros;

    /// <inheritdoc/>
    internal override CopyParcel NewParcel() => targets[0].NewParcel();

    /// <inheritdoc/>
    internal override void Prepare(CopyParcel parcel) => InPart(parcel, static (target, parcel) => target.Prepare(parcel));

    /// <inheritdoc/>
    internal override void Place(CopyParcel parcel)
    {
        // What lies before is decided, so that no more of its tables need be in memory.
        CompleteBefore(IndexOf(parcel.Piece.Offset));
        InPart(parcel, static (target, parcel) => target.Place(parcel));
    }

    /// <inheritdoc/>
    internal override void Finish(CopyParcel parcel) => InPart(parcel, static (target, parcel) => target.Finish(parcel));

    /// <inheritdoc/>
    internal override int MaxSharedBytes => targets.Count == 1 ? targets[0].MaxSharedBytes : ParcelBytes;

    /// <inheritdoc/>
    internal override int ShareUnit(BlockStorage source, out string? refusal) => targets[0].ShareUnit(source, out refusal);

    /// <inheritdoc/>
    internal override void FinishShared(CopyParcel parcel, SharedExtents sharing, DiskRead read)
    {
        long start = IndexOf(parcel.Piece.Offset) * VmdkSplit.ExtentSize;
        InPart(parcel, (target, inPart) => target.FinishShared(inPart, sharing, (offset, buffer) => read(start + offset, buffer)));
    }

    /// <inheritdoc/>
    internal override void Complete() => CompleteBefore(targets.Count);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        foreach (CopyTarget target in targets)
        {
            target.Dispose();
        }

        base.Dispose(disposing);
    }

    private int IndexOf(long offset) => (int)Math.Min(targets.Count - 1, offset / VmdkSplit.ExtentSize);

    private void CompleteBefore(int index)
    {
        for (; _completed < index; _completed++)
        {
            targets[_completed].Complete();
        }
    }

    private void InPart(CopyParcel parcel, Action<CopyTarget, CopyParcel> step)
    {
        CopyPiece piece = parcel.Piece;
        int index = IndexOf(piece.Offset);
        parcel.Piece = piece with { Offset = piece.Offset - (index * VmdkSplit.ExtentSize) };
        try
        {
            step(targets[index], parcel);
        }
        finally
        {
            parcel.Piece = piece;
        }
    }
}

using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.Copying;

/// <summary>A destination in which each byte has its place already, such as a raw disk: the order of writing changes nothing.</summary>
/// <param name="disk">The disk.</param>
/// <param name="isZero">Whether all of it reads as zeros.</param>
/// <param name="sparseSize">Blocks of zeros of this size are not written as data; 0 for none.</param>
internal sealed class DiskTarget(VirtualDisk disk, bool isZero, int sparseSize) : CopyTarget
{
    /// <summary>Whether the disk may share what the source has.</summary>
    internal bool Shares { get; init; } = true;

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

        Write(piece.Offset, parcel.Data);
    }

    /// <inheritdoc/>
    internal override int ShareUnit(BlockStorage source, out string? refusal)
        => Shares && disk.PlainStorage is BlockStorage file ? file.ShareUnit(source, out refusal) : base.ShareUnit(source, out refusal);

    /// <inheritdoc/>
    internal override void FinishShared(CopyParcel parcel, SharedExtents sharing, DiskRead read)
    {
        CopyPiece piece = parcel.Piece;
        if (sharing.TryShare(disk.PlainStorage!, piece.Offset, piece.Shared!.Value))
        {
            return;
        }

        for (long done = 0; done < piece.Length;)
        {
            Span<byte> part = parcel.Room.Slice(0, (int)Math.Min(MaxParcelBytes, piece.Length - done));
            read(piece.Offset + done, part);
            Write(piece.Offset + done, part);
            done += part.Length;
        }
    }

    private void Write(long offset, ReadOnlySpan<byte> data)
    {
        for (int start = 0; start < data.Length;)
        {
            bool zeros = false;
            int end = sparseSize == 0 ? data.Length : SparseBlocks.EndOfRun(offset, data, start, sparseSize, out zeros);
            if (!zeros)
            {
                disk.WriteCore(offset + start, data.Slice(start, end - start));
            }
            else if (!isZero)
            {
                disk.WriteZeroesCore(offset + start, end - start, keepAllocation: false);
            }

            start = end;
        }
    }
}

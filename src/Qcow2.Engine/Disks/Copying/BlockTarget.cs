using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.Copying;

/// <summary>
/// A new file whose disk lies in blocks of one size. A block gets its place when the first data of it comes, in the order of the disk, so that the file
/// is the same however many threads write it; blocks that stay zeros get none.
/// </summary>
/// <remarks>
/// Nobody knows the file before it is complete, so nothing is written twice and nothing is flushed: data goes to its place as it comes, tables when
/// their turn has passed (<see cref="NewTable"/>), headers at the end. Zeros in a block are not written: the file reads as zeros there.
/// </remarks>
/// <param name="file">The new file, which is empty. It stays the caller's.</param>
/// <param name="blockSize">Bytes of a block, a power of two from 512 on.</param>
/// <param name="sparseSize">Runs of zeros of this size are not written; 0 writes everything.</param>
internal abstract class BlockTarget(BlockStorage file, long blockSize, int sparseSize) : CopyTarget
{
    private const int ParcelBytes = 2 << 20;

    /// <summary>Zeros that the host writes in a fraction of a second.</summary>
    private const long FillStep = 128 << 20;

    private static readonly byte[] OneZero = new byte[1];

    private long _block = -1;
    private long _place;
    private long _filled;

    /// <inheritdoc/>
    internal override int Unit => (int)Math.Min(blockSize, Math.Max(DiskSize.SectorSize, sparseSize));

    /// <inheritdoc/>
    internal override int MaxParcelBytes => ParcelBytes;

    /// <inheritdoc/>
    internal override bool WritesZeros => FilledSize > 0;

    /// <summary>The new file.</summary>
    protected BlockStorage File => file;

    /// <summary>Bytes of a block.</summary>
    protected long BlockSize => blockSize;

    /// <summary>
    /// Bytes of the disk that lie in the file from the start, on a host that fills with zeros what was skipped, all at once with the next write behind it;
    /// 0 where nothing is filled. Such a write could take an hour and not be stopped, so that it is led along.
    /// </summary>
    protected virtual long FilledSize => 0;

    /// <inheritdoc/>
    internal override CopyParcel NewParcel() => new BlockParcel(ParcelBytes);

    /// <inheritdoc/>
    internal override void Prepare(CopyParcel parcel)
    {
        List<(int Start, int Length)> runs = ((BlockParcel)parcel).Runs;
        runs.Clear();
        if (parcel.Piece.Shared is HostRun shared)
        {
            runs.Add((0, (int)shared.Length));
            return;
        }

        ReadOnlySpan<byte> data = parcel.Data;
        for (int start = 0; start < data.Length;)
        {
            bool zeros = false;
            int end = sparseSize == 0 ? data.Length : SparseBlocks.EndOfRun(parcel.Piece.Offset, data, start, Unit, out zeros);
            if (!zeros)
            {
                runs.Add((start, end - start));
            }

            start = end;
        }
    }

    /// <inheritdoc/>
    internal override void FillRest(CancellationToken cancellationToken)
    {
        while (_filled < FilledSize)
        {
            cancellationToken.ThrowIfCancellationRequested();
            FillTo(Math.Min(FilledSize, _filled + FillStep));
        }
    }

    /// <inheritdoc/>
    internal override void Place(CopyParcel parcel)
    {
        var blocks = (BlockParcel)parcel;
        blocks.Writes.Clear();
        foreach ((int start, int length) in blocks.Runs)
        {
            for (int at = start; at < start + length;)
            {
                long offset = parcel.Piece.Offset + at;
                long inBlock = offset & (blockSize - 1);
                int count = (int)Math.Min(start + length - at, blockSize - inBlock);
                bool isNew = offset / blockSize != _block;
                long place = PlaceOf(offset / blockSize);
                blocks.AddWrite(at, count, place + inBlock, isNew ? place : -1);
                at += count;
            }
        }
    }

    /// <inheritdoc/>
    internal override void Finish(CopyParcel parcel)
    {
        if (FilledSize > 0)
        {
            long end = parcel.Piece.Offset + parcel.Piece.Length;
            if (!parcel.Piece.IsData)
            {
                FillTo(end);
                return;
            }

            _filled = end;
        }

        ReadOnlySpan<byte> data = parcel.Data;
        foreach ((int start, int length, long place, long newBlock) in ((BlockParcel)parcel).Writes)
        {
            if (newBlock >= 0)
            {
                BeginBlock(newBlock);
            }

            file.Write(place, data.Slice(start, length));
        }
    }

    /// <inheritdoc/>
    internal override int ShareUnit(BlockStorage source, out string? refusal)
    {
        int unit = file.ShareUnit(source, out refusal);
        return unit <= PlaceUnit ? unit : base.ShareUnit(source, out refusal);
    }

    /// <inheritdoc/>
    internal override void FinishShared(CopyParcel parcel, SharedExtents sharing, DiskRead read)
    {
        CopyPiece piece = parcel.Piece;
        foreach ((int start, int length, long place, long newBlock) in ((BlockParcel)parcel).Writes)
        {
            if (newBlock >= 0)
            {
                BeginBlock(newBlock);
            }

            if (!sharing.TryShare(file, place, piece.Shared!.Value.Slice(start, length)))
            {
                Copy(parcel.Room.Slice(0, ParcelBytes), piece.Offset + start, place, length, read);
            }
        }

        _filled = piece.Offset + piece.Length;
    }

    private void Copy(Span<byte> buffer, long offset, long place, long length, DiskRead read)
    {
        for (long done = 0; done < length;)
        {
            Span<byte> part = buffer.Slice(0, (int)Math.Min(buffer.Length, length - done));
            read(offset + done, part);
            SparseBlocks.Write(file, place + done, offset + done, part, Unit);
            done += part.Length;
        }
    }

    /// <summary>Has the host fill the file up to a place of the disk. One byte of a zero is enough for that.</summary>
    private void FillTo(long end)
    {
        file.Write(Allocate((end - 1) / blockSize) + ((end - 1) & (blockSize - 1)), OneZero);
        _filled = end;
    }

    /// <summary>What the places of blocks are multiples of, in bytes; a power of two.</summary>
    protected virtual long PlaceUnit => blockSize;

    /// <summary>Gives a block its place. Each block is asked for once, in the order of the disk.</summary>
    /// <param name="block">Its number on the disk, from 0.</param>
    /// <returns>Where its first byte lies in the file.</returns>
    protected abstract long Allocate(long block);

    /// <summary>Writes what comes with a block, before any of its data: so the file is written in the order in which it lies there. A block right behind another has nothing.</summary>
    /// <param name="place">Where its first byte lies in the file.</param>
    protected virtual void BeginBlock(long place)
    {
    }

    private long PlaceOf(long block)
    {
        if (block != _block)
        {
            _place = Allocate(block);
            _block = block;
        }

        return _place;
    }
}

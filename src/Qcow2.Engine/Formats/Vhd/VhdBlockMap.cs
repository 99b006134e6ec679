using Qcow2.Engine.Disks;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>What lies at a place of a disk that has a block allocation table.</summary>
internal sealed class VhdBlockMap
{
    private const int PieceBytes = VhdLimits.SectorSize;

    /// <summary>Bytes of the disk that a piece of a bitmap is about: a block of the usual size.</summary>
    private const int PieceReach = PieceBytes * 8 * VhdLimits.SectorSize;

    // A MiB.
    private const int PieceBits = 11;

    private readonly VhdStructure _structure;
    private readonly VhdBlockTable _table;
    private readonly PieceCache _bitmaps;
    private readonly long _bitmapBytes;
    private readonly long _blockSize;

    internal VhdBlockMap(BlockStorage storage, VhdStructure structure)
    {
        VhdDynamicHeader header = structure.Header!;
        _structure = structure;
        _table = new VhdBlockTable(storage, (long)header.TableOffset);
        _bitmaps = new PieceCache(storage, PieceBytes, PieceBits);
        _bitmapBytes = VhdSectorBitmap.BytesFor(header.BlockSize);
        _blockSize = header.BlockSize;
    }

    /// <summary>Says what lies at an offset, and how far it goes on.</summary>
    /// <param name="offset">An offset inside the disk.</param>
    /// <param name="length">Bytes that are wanted; at least one, inside the disk.</param>
    /// <exception cref="Qcow2Exception">The block lies where no block can.</exception>
    internal FileStretch Find(long offset, long length)
    {
        long block = offset / _blockSize;
        uint entry = _table.Find(block);
        if (entry == VhdBlockTable.Unused)
        {
            long end = _table.SkipUnused(block + 1, (offset + length + _blockSize - 1) / _blockSize) * _blockSize;
            return new FileStretch(ExtentKind.Unallocated, Math.Min(length, end - offset));
        }

        long start = RequireBlock(block, entry);
        return FindInBlock(start, offset, Math.Min(length, _blockSize - (offset % _blockSize)));
    }

    /// <summary>Where the damage ends that keeps an offset from being read.</summary>
    internal long DamageEnd(long offset)
    {
        long block = offset / _blockSize;
        try
        {
            RequireBlock(block, _table.Find(block));
        }
        catch (Qcow2Exception)
        {
            return (block + 1) * _blockSize;
        }
        catch (IOException)
        {
            return VhdBlockTable.PieceEnd(block) * _blockSize;
        }

        return Math.Min((block + 1) * _blockSize, ((offset / PieceReach) + 1) * PieceReach);
    }

    private FileStretch FindInBlock(long start, long offset, long length)
    {
        long inBlock = offset % _blockSize;
        long piece = inBlock / PieceReach;
        int sector = (int)(inBlock % PieceReach / VhdLimits.SectorSize);
        int inSector = (int)(inBlock % VhdLimits.SectorSize);
        length = Math.Min(length, ((piece + 1) * PieceReach) - inBlock);
        int sectors = (int)((inSector + length + VhdLimits.SectorSize - 1) / VhdLimits.SectorSize);

        byte[] bitmap = _bitmaps.Get(start + (piece * PieceBytes));
        int run = VhdSectorBitmap.RunLength(bitmap, sector, sectors);
        length = Math.Min(length, ((long)run * VhdLimits.SectorSize) - inSector);
        if (!VhdSectorBitmap.IsSet(bitmap, sector))
        {
            // Of a disk without a parent it is a sector that was never written.
            return new FileStretch(_structure.IsDifferencing ? ExtentKind.Unallocated : ExtentKind.Zero, length);
        }

        return ClipToFile(new FileStretch(ExtentKind.Data, length, start + _bitmapBytes + inBlock));
    }

    /// <summary>Of a file that was cut off inside a block, what is left is read.</summary>
    private FileStretch ClipToFile(FileStretch run) => run.FileOffset < _structure.DataEnd
        ? run with { Length = Math.Min(run.Length, _structure.DataEnd - run.FileOffset) }
        : throw Qcow2Errors.PastEnd("Data", (ulong)run.FileOffset, (ulong)run.Length, _structure.DataEnd);

    private long RequireBlock(long block, uint entry)
    {
        if (entry == VhdBlockTable.Unused)
        {
            return 0;
        }

        long start = (long)entry * VhdLimits.SectorSize;
        var bitmap = new DiskRange(start, _bitmapBytes);
        if (bitmap.End > _structure.DataEnd)
        {
            throw Qcow2Errors.PastEnd($"Block {block}", (ulong)start, (ulong)(_bitmapBytes + _blockSize), _structure.DataEnd);
        }

        return VhdTableAudit.OverlapOf(_structure, block, start) is string fault ? throw Qcow2Errors.Corrupt(fault) : start;
    }
}

using System.Buffers;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>
/// The disk in a VHDX file, for reading: fixed, dynamic or differencing. What the file's log holds is part of it; nothing is written.
/// </summary>
/// <remarks>Source: [MS-VHDX], Virtual Hard Disk v2 (VHDX) File Format.</remarks>
internal sealed class VhdxDisk : FileDisk
{
    /// <summary>Sectors whose bits are looked at together.</summary>
    private const int MostSectorsAtOnce = 4096;

    private readonly VhdxBlockTable _blocks;

    private VhdxDisk(VhdxFile file, VirtualDisk? parent)
        : base(file.Storage, file.Metadata.DiskSize, parent)
    {
        _blocks = file.Blocks;
        File = file;
    }

    /// <inheritdoc/>
    public override int? LogicalSectorSize => File.Metadata.LogicalSectorSize;

    /// <summary>What the file says of itself.</summary>
    internal VhdxFile File { get; }

    /// <summary>Reads a disk from storage, which the disk then owns.</summary>
    /// <param name="storage">The file; on failure it is left to the caller.</param>
    /// <param name="openParent">Opens the parent of a differencing disk, by its locator; the disk then owns it.</param>
    /// <exception cref="Qcow2Exception">The file is damaged, or its parent is another disk by now.</exception>
    internal static VhdxDisk Open(BlockStorage storage, Func<VhdxParentLocator, VirtualDisk> openParent)
    {
        try
        {
            VhdxFile file = VhdxFile.Load(storage);
            VirtualDisk? parent = file.Metadata.ParentLocator is VhdxParentLocator locator ? openParent(locator) : null;
            try
            {
                CheckParent(file, parent);
                return new VhdxDisk(file, parent);
            }
            catch
            {
                parent?.Dispose();
                throw;
            }
        }
        catch (Qcow2Exception e)
        {
            e.At(storage.Path);
            throw;
        }
    }

    /// <inheritdoc/>
    /// <remarks>Its entry or its bitmap cannot be used, and with it the whole block.</remarks>
    private protected override long EndOfDamage(long offset) => ((offset / File.Metadata.BlockSize) + 1) * File.Metadata.BlockSize;

    private static void CheckParent(VhdxFile file, VirtualDisk? parent)
    {
        if (parent is VhdxDisk other)
        {
            VhdxParentCheck.Check(file.Metadata.ParentLocator!, other.Path, other.File.Header.DataWriteGuid);
        }
    }

    /// <inheritdoc/>
    private protected override FileStretch Find(long offset, long length)
    {
        int blockSize = File.Metadata.BlockSize;
        long number = offset / blockSize;
        long inBlock = offset % blockSize;
        length = Math.Min(length, blockSize - inBlock);
        VhdxBlock block = _blocks.Block(number);
        return block.State switch
        {
            VhdxBlockState.FullyPresent => new FileStretch(ExtentKind.Data, length, block.FileOffset + inBlock),
            VhdxBlockState.PartiallyPresent => FindSectors(number, inBlock, length, block.FileOffset),
            VhdxBlockState.NotPresent => new FileStretch(ExtentKind.Unallocated, length),
            _ => new FileStretch(ExtentKind.Zero, length),
        };
    }

    /// <summary>The sectors from one on that are all in the file, or all in the parent.</summary>
    private FileStretch FindSectors(long number, long inBlock, long length, long fileOffset)
    {
        int sectorSize = File.Metadata.LogicalSectorSize;

        // A bitmap may change with every sector: no more of it is read than a stretch of data is worth.
        length = Math.Min(length, MostSectorsAtOnce * (long)sectorSize);
        long first = inBlock / sectorSize;
        long last = (inBlock + length - 1) / sectorSize;
        long firstBit = (number % _blocks.ChunkRatio * (File.Metadata.BlockSize / sectorSize)) + first;
        long lastBit = firstBit + (last - first);
        int bytes = (int)((lastBit / 8) - (firstBit / 8) + 1);
        byte[] bitmap = ArrayPool<byte>.Shared.Rent(bytes);
        try
        {
            Storage.ReadZeroPadded(_blocks.BitmapOf(number) + (firstBit / 8), bitmap.AsSpan(0, bytes));
            long bit = firstBit % 8;
            bool isHere = IsSet(bitmap, bit);
            long count = 1;
            while (count <= last - first && IsSet(bitmap, bit + count) == isHere)
            {
                count++;
            }

            long end = Math.Min(inBlock + length, (first + count) * sectorSize);
            return new FileStretch(isHere ? ExtentKind.Data : ExtentKind.Unallocated, end - inBlock, fileOffset + inBlock);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bitmap);
        }
    }

    private static bool IsSet(byte[] bitmap, long bit) => (bitmap[bit / 8] & (1 << (int)(bit % 8))) != 0;
}

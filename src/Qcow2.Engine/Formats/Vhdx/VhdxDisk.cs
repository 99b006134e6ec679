using System.Buffers;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>
/// The disk in a VHDX file, for reading: fixed, dynamic or differencing. What the file's log holds is part of it; nothing is written.
/// </summary>
/// <remarks>Source: [MS-VHDX], Virtual Hard Disk v2 (VHDX) File Format.</remarks>
internal sealed class VhdxDisk : VirtualDisk
{
    /// <summary>Sectors whose bits are looked at together.</summary>
    private const int MostSectorsAtOnce = 4096;

    private readonly BlockStorage _storage;
    private readonly VhdxBlockTable _blocks;

    private VhdxDisk(BlockStorage storage, VhdxFile file, VirtualDisk? parent)
    {
        _storage = storage;
        _blocks = file.Blocks;
        File = file;
        Backing = parent;
    }

    /// <summary>What the file says of itself.</summary>
    internal VhdxFile File { get; }

    /// <inheritdoc/>
    public override string Path => _storage.Path;

    /// <inheritdoc/>
    public override long Length => File.Metadata.DiskSize;

    /// <inheritdoc/>
    public override VirtualDisk? Backing { get; }

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
                return new VhdxDisk(file.Storage, file, parent);
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
    protected internal override void ReadCore(long offset, Span<byte> buffer)
    {
        try
        {
            while (!buffer.IsEmpty)
            {
                Stretch stretch = Find(offset, buffer.Length);
                Read(stretch, offset, buffer.Slice(0, (int)stretch.Length));
                offset += stretch.Length;
                buffer = buffer.Slice((int)stretch.Length);
            }
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }

    /// <inheritdoc/>
    protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
    {
        long end = offset + length;
        var parts = new FileExtents(_storage);
        while (offset < end)
        {
            Stretch stretch = FindNamed(offset, end - offset);
            IEnumerable<DiskExtent> extents = stretch.Kind switch
            {
                StretchKind.Parent => BackingExtents(offset, stretch.Length, depth),
                StretchKind.Data => parts.Of(stretch.FileOffset, offset, stretch.Length, depth),
                _ => [new DiskExtent(offset, stretch.Length, ExtentKind.Zero, depth, Path, null, IsCompressed: false)],
            };
            foreach (DiskExtent extent in extents)
            {
                yield return extent;
            }

            offset += stretch.Length;
        }
    }

    /// <inheritdoc/>
    protected internal override long DamageEnd(long offset)
    {
        try
        {
            Stretch stretch = Find(offset, 1);
            return stretch.Kind == StretchKind.Parent && Backing is VirtualDisk parent && offset < parent.Length ? parent.DamageEnd(offset) : base.DamageEnd(offset);
        }
        catch (Exception e) when (e is Qcow2Exception or IOException)
        {
            // Its entry or its bitmap cannot be used, and with it the whole block.
            return ((offset / File.Metadata.BlockSize) + 1) * File.Metadata.BlockSize;
        }
    }

    /// <inheritdoc/>
    protected internal override bool ReadsFrom(FileIdentity file) => _storage.Identity.IsProvenSameAs(file) || base.ReadsFrom(file);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _storage.Dispose();
            Backing?.Dispose();
        }

        base.Dispose(disposing);
    }

    private static void CheckParent(VhdxFile file, VirtualDisk? parent)
    {
        if (parent is VhdxDisk other)
        {
            VhdxParentCheck.Check(file.Metadata.ParentLocator!, other.Path, other.File.Header.DataWriteGuid);
        }
    }

    private Stretch FindNamed(long offset, long length)
    {
        try
        {
            return Find(offset, length);
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }

    /// <summary>What lies at an offset, and as far as that goes inside its block.</summary>
    private Stretch Find(long offset, long length)
    {
        int blockSize = File.Metadata.BlockSize;
        long number = offset / blockSize;
        long inBlock = offset % blockSize;
        length = Math.Min(length, blockSize - inBlock);
        VhdxBlock block = _blocks.Block(number);
        return block.State switch
        {
            VhdxBlockState.FullyPresent => new Stretch(StretchKind.Data, length, block.FileOffset + inBlock),
            VhdxBlockState.PartiallyPresent => FindSectors(number, inBlock, length, block.FileOffset),
            VhdxBlockState.NotPresent => new Stretch(StretchKind.Parent, length, 0),
            _ => new Stretch(StretchKind.Zero, length, 0),
        };
    }

    /// <summary>The sectors from one on that are all in the file, or all in the parent.</summary>
    private Stretch FindSectors(long number, long inBlock, long length, long fileOffset)
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
            _storage.ReadZeroPadded(_blocks.BitmapOf(number) + (firstBit / 8), bitmap.AsSpan(0, bytes));
            long bit = firstBit % 8;
            bool isHere = IsSet(bitmap, bit);
            long count = 1;
            while (count <= last - first && IsSet(bitmap, bit + count) == isHere)
            {
                count++;
            }

            long end = Math.Min(inBlock + length, (first + count) * sectorSize);
            return new Stretch(isHere ? StretchKind.Data : StretchKind.Parent, end - inBlock, fileOffset + inBlock);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bitmap);
        }
    }

    private static bool IsSet(byte[] bitmap, long bit) => (bitmap[bit / 8] & (1 << (int)(bit % 8))) != 0;

    private void Read(Stretch stretch, long offset, Span<byte> buffer)
    {
        switch (stretch.Kind)
        {
            case StretchKind.Data:
                _storage.ReadZeroPadded(stretch.FileOffset, buffer);
                break;
            case StretchKind.Parent:
                ReadBacking(offset, buffer);
                break;
            default:
                buffer.Clear();
                break;
        }
    }

    private enum StretchKind
    {
        Data,
        Zero,
        Parent,
    }

    private readonly record struct Stretch(StretchKind Kind, long Length, long FileOffset);
}

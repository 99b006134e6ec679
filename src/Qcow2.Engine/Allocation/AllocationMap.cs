namespace Qcow2.Engine;

/// <summary>
/// How a disk of any format is allocated, in a bounded number of cells: how much of each is data, compressed data and zeros, and which file of the backing chain has it. Only
/// tables are read, once and in order; the memory is in proportion to the cells and the layers that show through in them, and not to the disk.
/// </summary>
public sealed class AllocationMap
{
    /// <summary>The most cells that a map can have.</summary>
    public const int MaxCellCount = 8192;

    private const int SectorSize = 512;

    private AllocationMap(long size, IReadOnlyList<AllocationCell> cells, IReadOnlyList<AllocationLayer> layers)
    {
        Size = size;
        Cells = cells;
        Layers = layers;
        UnallocatedBytes = size - layers.Sum(layer => layer.Total.Bytes);
    }

    /// <summary>Size of the disk, in bytes.</summary>
    public long Size { get; }

    /// <summary>Bytes that no file of the chain has anything for; they read as zeros.</summary>
    public long UnallocatedBytes { get; }

    /// <summary>The parts of the disk, in order and without gaps; sizes differ by a byte at most. None of an empty disk.</summary>
    public IReadOnlyList<AllocationCell> Cells { get; }

    /// <summary>The files of the backing chain, the image itself first, with what the disk has from each.</summary>
    public IReadOnlyList<AllocationLayer> Layers { get; }

    /// <summary>Maps a disk.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="cellCount">Into how many cells, from 1 to <see cref="MaxCellCount"/>. A disk with fewer sectors gets fewer.</param>
    /// <param name="progress">Told how far it is; null for nobody.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="Qcow2Exception">The image's tables are damaged.</exception>
    public static AllocationMap Read(VirtualDisk disk, int cellCount, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        _ = disk ?? throw new ArgumentNullException(nameof(disk));
        if (cellCount is < 1 or > MaxCellCount)
        {
            throw new ArgumentOutOfRangeException(nameof(cellCount), cellCount, $"A map has 1 to {MaxCellCount} cells.");
        }

        long size = disk.Length;
        long sectors = (size / SectorSize) + (size % SectorSize == 0 ? 0 : 1);
        var cells = new AllocationCell[Math.Min(cellCount, sectors)];
        long StartOf(int cell) => cell == cells.Length ? size : (long)((decimal)size * cell / cells.Length);

        List<string> paths = PathsOf(disk);
        var totals = new List<AllocationShare>();
        var shares = new List<AllocationShare>();
        int cell = 0;
        long end = cells.Length == 0 ? 0 : StartOf(1);
        foreach (DiskExtent extent in disk.GetExtents(0, size, cancellationToken))
        {
            for (long position = extent.Offset; position < extent.End;)
            {
                long length = Math.Min(extent.End, end) - position;
                Add(shares, extent, length);
                Add(totals, extent, length);
                position += length;
                if (position == end)
                {
                    long start = StartOf(cell);
                    cells[cell++] = new AllocationCell(start, end - start, [.. shares]);
                    shares.Clear();
                    end = cell < cells.Length ? StartOf(cell + 1) : end;
                    progress?.Report(new WorkProgress(position, size));
                }
            }

            while (paths.Count <= extent.Depth)
            {
                paths.Add(extent.FilePath);
            }
        }

        return new AllocationMap(size, cells, [.. paths.Select((path, depth)
            => new AllocationLayer(path, totals.Find(total => total.Depth == depth) is { Bytes: > 0 } total ? total : new AllocationShare(depth, 0, 0, 0)))]);
    }

    /// <summary>The files that the layers of a disk are, from the top.</summary>
    private static List<string> PathsOf(VirtualDisk disk)
    {
        List<string> paths = [];
        for (VirtualDisk? layer = disk; layer is not null; layer = layer.Backing)
        {
            paths.Add(layer.Path);
        }

        return paths;
    }

    private static void Add(List<AllocationShare> shares, DiskExtent extent, long length)
    {
        if (extent.Kind == ExtentKind.Unallocated)
        {
            return;
        }

        int index = shares.Count - 1;
        while (index >= 0 && shares[index].Depth != extent.Depth)
        {
            index--;
        }

        AllocationShare share = index < 0 ? new AllocationShare(extent.Depth, 0, 0, 0) : shares[index];
        share = extent switch
        {
            { Kind: ExtentKind.Zero } => share with { ZeroBytes = share.ZeroBytes + length },
            { IsCompressed: true } => share with { CompressedBytes = share.CompressedBytes + length },
            _ => share with { DataBytes = share.DataBytes + length },
        };
        if (index < 0)
        {
            shares.Add(share);
        }
        else
        {
            shares[index] = share;
        }
    }
}

/// <summary>A part of a disk in an <see cref="AllocationMap"/>.</summary>
/// <param name="Offset">Where it starts on the disk, in bytes.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Shares">What of it which file of the chain has; files that have nothing here are left out.</param>
public sealed record AllocationCell(long Offset, long Length, IReadOnlyList<AllocationShare> Shares);

/// <summary>A file of the backing chain in an <see cref="AllocationMap"/>.</summary>
/// <param name="Path">Full path of the file.</param>
/// <param name="Total">What the whole disk has from it. What a file above it hides is not counted.</param>
public sealed record AllocationLayer(string Path, AllocationShare Total);

/// <summary>What a part of a disk has from one file of the backing chain.</summary>
/// <param name="Depth">Which file: 0 for the image itself, 1 for its backing file and so on.</param>
/// <param name="DataBytes">Bytes stored as they are.</param>
/// <param name="CompressedBytes">Bytes of the disk that lie in compressed clusters.</param>
/// <param name="ZeroBytes">Bytes that the file says are zeros, by its tables or a hole.</param>
public readonly record struct AllocationShare(int Depth, long DataBytes, long CompressedBytes, long ZeroBytes)
{
    /// <summary>Bytes of all kinds.</summary>
    public long Bytes => DataBytes + CompressedBytes + ZeroBytes;
}

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <summary>
/// The last sectors of a backing chain's QCOW2 disks that are not whole. QEMU lets such a disk end before them and has zeros there; this engine
/// shows what the image holds. So nothing may be left out of an overlay because a backing file has it in such a sector.
/// </summary>
internal sealed class PartialSectors
{
    private const int SectorSize = 512;

    private readonly List<DiskRange> _ranges = [];

    /// <summary>Finds them.</summary>
    /// <param name="backing">The uppermost backing file; null for none.</param>
    internal PartialSectors(VirtualDisk? backing)
    {
        for (VirtualDisk? disk = backing; disk is not null; disk = disk.Backing)
        {
            if (disk is Qcow2Image && disk.Length % SectorSize != 0)
            {
                _ranges.Add(new DiskRange(disk.Length - (disk.Length % SectorSize), disk.Length % SectorSize));
            }
        }
    }

    /// <summary>Lets what was read of the backing file differ from the disk's data in each such sector that is not all zeros.</summary>
    /// <param name="offset">Where both were read, in bytes.</param>
    /// <param name="data">What the disk holds.</param>
    /// <param name="backing">What the backing file holds; as long as the data.</param>
    internal void Distinguish(long offset, ReadOnlySpan<byte> data, Span<byte> backing)
    {
        foreach (DiskRange range in _ranges)
        {
            long start = Math.Max(range.Offset, offset);
            long end = Math.Min(range.End, offset + data.Length);
            if (start >= end)
            {
                continue;
            }

            Span<byte> doubtful = backing.Slice((int)(start - offset), (int)(end - start));
            if (!SpanSearch.IsAllZero(doubtful))
            {
                doubtful[0] = (byte)~data[(int)(start - offset)];
            }
        }
    }
}

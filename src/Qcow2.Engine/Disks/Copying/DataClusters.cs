using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.Copying;

/// <summary>Finds where a disk holds data without reading it.</summary>
internal static class DataClusters
{
    /// <summary>Counts the clusters of a destination that the source has data for, by what its tables and the holes of its files say.</summary>
    /// <param name="source">The disk.</param>
    /// <param name="clusterSize">The destination's unit of allocation, in bytes.</param>
    /// <param name="cancellationToken">Stops the search.</param>
    internal static long Count(VirtualDisk source, long clusterSize, CancellationToken cancellationToken)
    {
        long count = 0;
        long next = 0; // Extents come in order, so what lies before this cluster is counted.
        foreach ((long offset, long end) in DataRanges(source, cancellationToken))
        {
            long first = Math.Max(next, offset / clusterSize);
            next = Math.Max(next, ((end - 1) / clusterSize) + 1);
            count += Math.Max(0, next - first);
        }

        return count;
    }

    private static IEnumerable<(long Offset, long End)> DataRanges(VirtualDisk source, CancellationToken cancellationToken)
    {
        BlockStorage?[] unwritten = UnwrittenParts(source, cancellationToken);
        foreach (DiskExtent extent in source.GetExtents(0, source.Length, cancellationToken))
        {
            if (extent.Kind != ExtentKind.Data)
            {
                continue;
            }

            if (extent.HostOffset is not long host || extent.Depth >= unwritten.Length || unwritten[extent.Depth] is not BlockStorage file)
            {
                yield return (extent.Offset, extent.End);
                continue;
            }

            foreach ((long offset, long end) in Written(file, host, extent.Length))
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return (extent.Offset + offset - host, extent.Offset + end - host);
            }
        }
    }

    /// <summary>For each file of the chain, the storage whose holes nobody has written to yet; null where they need not be looked at.</summary>
    private static BlockStorage?[] UnwrittenParts(VirtualDisk source, CancellationToken cancellationToken)
    {
        var files = new List<BlockStorage?>();
        for (VirtualDisk? disk = source; disk is not null; disk = disk.Backing)
        {
            files.Add(disk.PreallocatedStorage(cancellationToken));
        }

        return [.. files];
    }

    private static IEnumerable<(long Offset, long End)> Written(BlockStorage file, long offset, long length)
    {
        long end = Math.Min(offset + length, file.Length);
        while (offset < end)
        {
            StorageRun run = file.RunAt(offset);

            // A file that another program changes meanwhile must not make this loop stand still.
            long next = Math.Min(end, Math.Max(run.End, offset + 1));
            if (run.IsData)
            {
                yield return (offset, next);
            }

            offset = next;
        }
    }
}

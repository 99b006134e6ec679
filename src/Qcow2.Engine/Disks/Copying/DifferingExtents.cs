namespace Qcow2.Engine.Disks.Copying;

/// <summary>Finds where a disk may differ from the backing file of the image that it is copied into.</summary>
internal static class DifferingExtents
{
    /// <summary>
    /// Divides a disk: data is what may differ and must be read on both sides, everything else is the same in both, because neither
    /// has anything there or both take it from the same place of the same file.
    /// </summary>
    /// <param name="extents">What lies where on the disk, from its start to its end.</param>
    /// <param name="backing">The backing file.</param>
    internal static IEnumerable<DiskExtent> Of(IEnumerable<DiskExtent> extents, VirtualDisk backing)
    {
        foreach (DiskExtent extent in extents)
        {
            long covered = Math.Max(0, Math.Min(extent.Length, backing.Length - extent.Offset));
            if (covered > 0)
            {
                foreach (DiskExtent below in backing.GetExtents(extent.Offset, covered))
                {
                    bool mayDiffer = (extent.Kind == ExtentKind.Data || below.Kind == ExtentKind.Data) && !AreSame(extent, below);
                    yield return below with { Kind = mayDiffer ? ExtentKind.Data : ExtentKind.Unallocated };
                }
            }

            if (covered < extent.Length)
            {
                yield return extent with { Offset = extent.Offset + covered, Length = extent.Length - covered };
            }
        }
    }

    /// <summary>
    /// Whether both lie in the same place. That of compressed clusters is not known, but below the first image of a chain there are
    /// active disks only, and a file has one of these.
    /// </summary>
    private static bool AreSame(DiskExtent extent, DiskExtent below)
    {
        if (extent.Kind != below.Kind || !string.Equals(extent.FilePath, below.FilePath, StringComparison.Ordinal))
        {
            return false;
        }

        return extent.HostOffset is long host
            ? below.HostOffset == host + (below.Offset - extent.Offset)
            : extent.IsCompressed && below.IsCompressed && extent.Depth > 0;
    }
}

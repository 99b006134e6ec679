namespace Qcow2.Engine.Disks.Copying;

/// <summary>What is to be read of a disk of which only parts are copied.</summary>
internal static class PartialExtents
{
    /// <summary>Cuts data to the parts; what is not data is not in the result.</summary>
    /// <param name="extents">What lies where, in order.</param>
    /// <param name="parts">The parts, in order and apart from each other.</param>
    internal static IEnumerable<DiskExtent> Within(IEnumerable<DiskExtent> extents, IReadOnlyList<DiskRange> parts)
    {
        int next = 0;
        foreach (DiskExtent extent in extents)
        {
            if (extent.Kind != ExtentKind.Data)
            {
                continue;
            }

            while (next < parts.Count && parts[next].End <= extent.Offset)
            {
                next++;
            }

            for (int i = next; i < parts.Count && parts[i].Offset < extent.End; i++)
            {
                long start = Math.Max(extent.Offset, parts[i].Offset);
                long end = Math.Min(extent.End, parts[i].End);
                yield return extent with { Offset = start, Length = end - start, HostOffset = null };
            }
        }
    }

    /// <summary>The parts themselves, zeros or not, as far as the disk goes.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="parts">The parts, in order and apart from each other.</param>
    internal static IEnumerable<DiskExtent> AllOf(VirtualDisk disk, IReadOnlyList<DiskRange> parts)
        => parts.Where(part => part.Offset < disk.Length)
            .Select(part => new DiskExtent(part.Offset, Math.Min(part.Length, disk.Length - part.Offset), ExtentKind.Data, 0, disk.Path, null, IsCompressed: false));
}

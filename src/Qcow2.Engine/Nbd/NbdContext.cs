namespace Qcow2.Engine.Nbd;

/// <summary>Something that can be asked of each part of the disk (NBD protocol, "Metadata querying").</summary>
/// <param name="name">The name that clients ask for.</param>
internal abstract class NbdContext(string name)
{
    internal string Name => name;

    /// <summary>Describes a part of the disk, in order and without gaps; what follows each other may be alike.</summary>
    internal abstract IEnumerable<NbdStatus> Describe(long offset, long length);

    /// <summary>Whether one of a client's words is the name, or the beginning of it up to a colon, which means all that begin so.</summary>
    internal bool IsMeantByAny(HashSet<string> queries)
    {
        for (int colon = name.IndexOf(':'); colon >= 0; colon = name.IndexOf(':', colon + 1))
        {
            if (queries.Contains(name.Substring(0, colon + 1)))
            {
                return true;
            }
        }

        return queries.Contains(name);
    }
}

/// <summary>What a context says of a stretch.</summary>
/// <param name="Length">Bytes; at least one.</param>
/// <param name="Flags">What it says.</param>
internal readonly record struct NbdStatus(long Length, uint Flags);

/// <summary>Whether there is anything at all (<c>base:allocation</c>).</summary>
internal sealed class NbdAllocationContext(VirtualDisk disk) : NbdContext(NbdConstants.AllocationContext)
{
    private const uint HoleOfZeros = 1 | 2; // NBD_STATE_HOLE, NBD_STATE_ZERO

    internal override IEnumerable<NbdStatus> Describe(long offset, long length)
    {
        foreach (DiskExtent extent in disk.GetExtents(offset, length))
        {
            yield return new NbdStatus(extent.Length, extent.Kind == ExtentKind.Data ? 0 : HoleOfZeros);
        }
    }
}

/// <summary>Which file of the chain has it: 1 for the image itself, 2 for its backing file, 0 for none (<c>qemu:allocation-depth</c>).</summary>
internal sealed class NbdDepthContext(VirtualDisk disk) : NbdContext(NbdConstants.DepthContext)
{
    internal override IEnumerable<NbdStatus> Describe(long offset, long length)
    {
        foreach (DiskExtent extent in disk.GetExtents(offset, length))
        {
            yield return new NbdStatus(extent.Length, extent.Kind == ExtentKind.Unallocated ? 0 : (uint)extent.Depth + 1);
        }
    }
}

/// <summary>What a bitmap marks (<c>qemu:dirty-bitmap:NAME</c>).</summary>
internal sealed class NbdBitmapContext : NbdContext
{
    private const uint Dirty = 1;

    private readonly DiskRange[] _ranges;

    internal NbdBitmapContext(NbdBitmap bitmap)
        : base(NbdConstants.BitmapContextPrefix + bitmap.Name)
        => _ranges = [.. bitmap.Ranges];

    internal override IEnumerable<NbdStatus> Describe(long offset, long length)
    {
        long end = offset + length;
        for (int index = FirstEndingAfter(offset); offset < end; index++)
        {
            DiskRange range = index < _ranges.Length ? _ranges[index] : new DiskRange(end, 0);
            if (range.Offset > offset)
            {
                long clean = Math.Min(range.Offset, end) - offset;
                yield return new NbdStatus(clean, 0);
                offset += clean;
            }

            long marked = Math.Min(range.End, end) - offset;
            if (marked > 0)
            {
                yield return new NbdStatus(marked, Dirty);
                offset += marked;
            }
        }
    }

    private int FirstEndingAfter(long offset)
    {
        int low = 0;
        int high = _ranges.Length;
        while (low < high)
        {
            int middle = low + ((high - low) / 2);
            if (_ranges[middle].End > offset)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return low;
    }
}

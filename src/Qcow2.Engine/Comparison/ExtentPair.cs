namespace Qcow2.Engine.Comparison;

/// <summary>A stretch of two disks that is of one kind in each.</summary>
/// <param name="Range">The stretch.</param>
/// <param name="First">What the first disk has there; null past its end.</param>
/// <param name="Second">What the second disk has there; null past its end.</param>
internal readonly record struct ExtentPair(DiskRange Range, DiskExtent? First, DiskExtent? Second)
{
    /// <summary>Divides a part of two disks, in order and without gaps.</summary>
    /// <param name="first">One disk.</param>
    /// <param name="second">The other one.</param>
    /// <param name="part">The part; no longer than the longer disk.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    internal static IEnumerable<ExtentPair> Of(VirtualDisk first, VirtualDisk second, DiskRange part, CancellationToken cancellationToken)
    {
        using IEnumerator<DiskExtent> ones = first.GetExtents(part.Offset, part.Length, cancellationToken).GetEnumerator();
        using IEnumerator<DiskExtent> others = second.GetExtents(part.Offset, part.Length, cancellationToken).GetEnumerator();
        DiskExtent? one = Next(ones);
        DiskExtent? other = Next(others);
        for (long offset = part.Offset; offset < part.End;)
        {
            long end = Math.Min(one?.End ?? part.End, other?.End ?? part.End);
            yield return new ExtentPair(new DiskRange(offset, end - offset), one, other);
            offset = end;
            one = one is { } a && a.End <= offset ? Next(ones) : one;
            other = other is { } b && b.End <= offset ? Next(others) : other;
        }
    }

    private static DiskExtent? Next(IEnumerator<DiskExtent> extents) => extents.MoveNext() ? extents.Current : null;
}

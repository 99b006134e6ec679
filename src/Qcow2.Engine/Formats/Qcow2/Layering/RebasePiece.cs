using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Layering;

/// <summary>
/// A part of a disk that shows its backing file, or one that need not be looked at.
/// </summary>
/// <param name="Offset">Where it starts, in bytes.</param>
/// <param name="Length">Bytes.</param>
/// <param name="HasOld">Whether the old backing file has data here; zeros if not.</param>
/// <param name="HasNew">Whether the new one has.</param>
internal readonly record struct RebasePiece(long Offset, long Length, bool HasOld, bool HasNew)
{
    /// <summary>The longest piece that is looked at: the largest cluster.</summary>
    internal const int MaxLength = 1 << Qcow2Limits.MaxClusterBits;

    /// <summary>Whether the two backing files may differ here.</summary>
    internal bool MayDiffer => HasOld || HasNew;

    /// <summary>Divides a disk by what its two backing files have where it has nothing itself.</summary>
    /// <param name="top">The disk, opened over the old backing file.</param>
    /// <param name="old">The old backing file; null for none.</param>
    /// <param name="next">The new one; null for none.</param>
    /// <param name="length">Bytes of the longest piece that is looked at: a power of two, at most <see cref="MaxLength"/>.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    internal static IEnumerable<RebasePiece> Of(VirtualDisk top, VirtualDisk? old, VirtualDisk? next, int length, CancellationToken cancellationToken)
    {
        HashSet<string> shared = PathsOf(old);
        shared.IntersectWith(PathsOf(next));
        RebasePiece pending = default;
        foreach (RebasePiece part in Divide(top, next, shared, cancellationToken))
        {
            // Parts that need not be looked at are joined however long they get; others up to a boundary.
            bool joins = part.HasOld == pending.HasOld && part.HasNew == pending.HasNew;
            if (!joins)
            {
                foreach (RebasePiece piece in pending.Cut(length))
                {
                    yield return piece;
                }
            }

            pending = joins ? pending with { Length = pending.Length + part.Length } : part;
            if (pending.Length > 16 * MaxLength)
            {
                foreach (RebasePiece piece in pending.Cut(length))
                {
                    yield return piece;
                }

                pending = pending with { Offset = pending.Offset + pending.Length, Length = 0 };
            }
        }

        foreach (RebasePiece piece in pending.Cut(length))
        {
            yield return piece;
        }
    }

    private static IEnumerable<RebasePiece> Divide(VirtualDisk top, VirtualDisk? next, HashSet<string> shared, CancellationToken cancellationToken)
    {
        foreach (DiskExtent extent in top.GetExtents(0, top.Length, cancellationToken))
        {
            bool isItsOwn = extent.Depth == 0 && extent.Kind != ExtentKind.Unallocated;
            long inNext = isItsOwn || next is null ? 0 : Math.Max(0, Math.Min(extent.Length, next.Length - extent.Offset));
            bool hasOld = !isItsOwn && extent.Kind == ExtentKind.Data;
            if (inNext > 0)
            {
                foreach (DiskExtent other in next!.GetExtents(extent.Offset, inNext, cancellationToken))
                {
                    bool hasNew = other.Kind == ExtentKind.Data;
                    bool isSame = hasOld && hasNew && shared.Contains(extent.FilePath)
                        && string.Equals(extent.FilePath, other.FilePath, StringComparison.Ordinal);
                    yield return new RebasePiece(other.Offset, other.Length, hasOld && !isSame, hasNew && !isSame);
                }
            }

            if (inNext < extent.Length)
            {
                yield return new RebasePiece(extent.Offset + inNext, extent.Length - inNext, hasOld, HasNew: false);
            }
        }
    }

    /// <summary>
    /// The image files of a chain. What two chains take from the same file, at the same place of its disk, is the same. External
    /// data files are not among them: they hold what the image that names them makes of it.
    /// </summary>
    private static HashSet<string> PathsOf(VirtualDisk? disk)
    {
        var paths = new HashSet<string>(StringComparer.Ordinal);
        for (VirtualDisk? link = disk; link is not null; link = link.Backing)
        {
            paths.Add(link.Path);
        }

        return paths;
    }

    private IEnumerable<RebasePiece> Cut(int max)
    {
        long start = Offset;
        long end = Offset + Length;
        while (start < end)
        {
            long boundary = MayDiffer ? Math.Min(end, (start | ((long)max - 1)) + 1) : end;
            yield return this with { Offset = start, Length = boundary - start };
            start = boundary;
        }
    }
}

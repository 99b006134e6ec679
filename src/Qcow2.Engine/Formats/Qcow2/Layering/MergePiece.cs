using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Layering;

/// <summary>What is to be done with a part of a disk when it is merged into one below.</summary>
internal enum MergeAction
{
    /// <summary>The destination shows through, and stays as it is.</summary>
    Leave,

    /// <summary>The destination gets what lies above it.</summary>
    Copy,

    /// <summary>The destination gets zeros.</summary>
    Zero,
}

/// <summary>A part of a disk, for one thread to merge.</summary>
internal readonly record struct MergePiece(long Offset, long Length, MergeAction Action)
{
    /// <summary>The largest cluster, so that no two threads ever write to the same one; and large enough for the host.</summary>
    private const long MaxCopy = 1 << Qcow2Limits.MaxClusterBits;

    /// <summary>Cheap, but not in one step: the work must be stoppable.</summary>
    private const long MaxZero = 64 * MaxCopy;

    /// <summary>Divides a disk by what the images above the destination have of it.</summary>
    /// <param name="top">The disk.</param>
    /// <param name="depth">How far below it the destination lies.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    internal static IEnumerable<MergePiece> Of(VirtualDisk top, int depth, CancellationToken cancellationToken)
    {
        MergePiece pending = default;
        foreach (DiskExtent extent in top.GetExtents(0, top.Length, cancellationToken))
        {
            MergeAction action = extent.Depth >= depth ? MergeAction.Leave : extent.Kind == ExtentKind.Data ? MergeAction.Copy : MergeAction.Zero;
            if (action == pending.Action)
            {
                pending = pending with { Length = pending.Length + extent.Length };
            }
            else
            {
                foreach (MergePiece piece in pending.Cut(isLast: true))
                {
                    yield return piece;
                }

                pending = new MergePiece(extent.Offset, extent.Length, action);
            }

            // What is whole is handed out at once, or the threads would wait for a walk through a long run of small extents.
            foreach (MergePiece piece in pending.Cut(isLast: false))
            {
                yield return piece;
                pending = pending with { Offset = piece.Offset + piece.Length, Length = pending.Length - piece.Length };
            }
        }

        foreach (MergePiece piece in pending.Cut(isLast: true))
        {
            yield return piece;
        }
    }

    /// <summary>Cuts at multiples of the largest piece; the rest, which may grow, is left out unless it is the last.</summary>
    private IEnumerable<MergePiece> Cut(bool isLast)
    {
        long max = Action switch
        {
            MergeAction.Copy => MaxCopy,
            MergeAction.Zero => MaxZero,
            _ => long.MaxValue,
        };
        long end = Offset + Length;
        long start = Offset;
        while (start < end)
        {
            long boundary = max == long.MaxValue ? end : Math.Min(end, (start | (max - 1)) + 1);
            bool isWhole = boundary < end || (max != long.MaxValue && (boundary & (max - 1)) == 0);
            if (!isWhole && !isLast)
            {
                yield break;
            }

            yield return this with { Offset = start, Length = boundary - start };
            start = boundary;
        }
    }
}

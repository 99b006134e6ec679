using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Copying;

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

/// <summary>A part of a disk that is merged in one way.</summary>
/// <param name="Offset">Where it starts, in bytes.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Action">What is done with it.</param>
/// <param name="Shared">Where it lies, if the destination is to share it; null where it is copied.</param>
internal readonly record struct MergePiece(long Offset, long Length, MergeAction Action, HostRun? Shared = null)
{
    /// <summary>Cheap, but not in one step: the work must be stoppable.</summary>
    private const long MaxZero = 128L << 20;

    /// <summary>Divides a disk by what the images above the destination have of it.</summary>
    /// <param name="top">The disk.</param>
    /// <param name="depth">How far below it the destination lies.</param>
    /// <param name="target">The destination; no two pieces that are copied whole lie in the same unit of it.</param>
    /// <param name="sharing">Finds what is shared; null for nothing.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    internal static IEnumerable<CopyPiece> Of(VirtualDisk top, int depth, CopyTarget target, SharedExtents? sharing, CancellationToken cancellationToken)
    {
        MergePiece pending = default;
        foreach (MergePiece part in Divide(top, depth, sharing, cancellationToken))
        {
            if (part.Action == pending.Action && part.Shared is null && pending.Shared is null)
            {
                pending = pending with { Length = pending.Length + part.Length };
            }
            else
            {
                foreach (CopyPiece piece in pending.Cut(target, isLast: true))
                {
                    yield return piece;
                }

                pending = part;
            }

            // What is whole is handed out at once, or the threads would wait for a walk through a long run of small extents.
            foreach (CopyPiece piece in pending.Cut(target, isLast: false))
            {
                yield return piece;
                pending = pending with { Offset = piece.Offset + piece.Length, Length = pending.Length - piece.Length, Shared = pending.Shared?.Slice(piece.Length, pending.Length - piece.Length) };
            }
        }

        foreach (CopyPiece piece in pending.Cut(target, isLast: true))
        {
            yield return piece;
        }
    }

    private static IEnumerable<MergePiece> Divide(VirtualDisk top, int depth, SharedExtents? sharing, CancellationToken cancellationToken)
    {
        foreach (DiskExtent extent in top.GetExtents(0, top.Length, cancellationToken))
        {
            long offset = extent.Offset;
            if (extent.Depth < depth && extent.Kind == ExtentKind.Data)
            {
                foreach (SharedExtent shared in sharing?.Of(extent) ?? [])
                {
                    if (offset < shared.Offset)
                    {
                        yield return new MergePiece(offset, shared.Offset - offset, MergeAction.Copy);
                    }

                    yield return new MergePiece(shared.Offset, shared.Run.Length, MergeAction.Copy, shared.Run);
                    offset = shared.End;
                }
            }

            if (offset < extent.End)
            {
                MergeAction action = extent.Depth >= depth ? MergeAction.Leave : extent.Kind == ExtentKind.Data ? MergeAction.Copy : MergeAction.Zero;
                yield return new MergePiece(offset, extent.End - offset, action);
            }
        }
    }

    /// <summary>Cuts at multiples of the largest piece; the rest, which may grow, is left out unless it is the last.</summary>
    private IEnumerable<CopyPiece> Cut(CopyTarget target, bool isLast)
    {
        long max = Action switch
        {
            MergeAction.Copy => Shared is null ? target.MaxParcelBytes : target.MaxSharedBytes,
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

            yield return new CopyPiece(start, boundary - start, Action == MergeAction.Copy, Shared?.Slice(start - Offset, boundary - start)) { IsKept = Action == MergeAction.Leave };
            start = boundary;
        }
    }
}

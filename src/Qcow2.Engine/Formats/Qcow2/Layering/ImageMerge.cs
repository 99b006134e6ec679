using System.Buffers;
using Qcow2.Engine.Formats.Qcow2.Layering;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Work;

namespace Qcow2.Engine.Chains;

/// <summary>
/// Merges an image into its backing file, or into another image that it is layered on: what <c>qemu-img commit</c> does.
/// </summary>
/// <remarks>
/// Only what the images above the destination have is read and written; what they call zero becomes zero there. The image
/// itself is not touched before the disk of the host has all of it: whenever this ends, it shows what it showed before.
/// Other images that are layered on the destination, or on an image between, show something else afterwards.
/// </remarks>
public static class ImageMerge
{
    /// <summary>Says which images a merge would lead through, from the image down to the destination. Changes nothing.</summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory.</param>
    /// <param name="options">As for <see cref="Merge(string, ImageMergeOptions?, IProgress{WorkProgress}?, CancellationToken)"/>.</param>
    /// <exception cref="Qcow2Exception">The image has no backing file, the destination is not in its chain, or the chain is broken.</exception>
    public static IReadOnlyList<Qcow2ImageInfo> FindImages(string path, ImageMergeOptions? options = null)
        => MergeRoute.Find(path, options ?? ImageMergeOptions.Default).Images;

    /// <summary>Merges an image.</summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory.</param>
    /// <param name="options">How; null for <see cref="ImageMergeOptions.Default"/>.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for nobody.</param>
    /// <param name="cancellationToken">Stops the work within a fraction of a second; it can be done again from the start.</param>
    /// <returns>Full path of the image that was merged into.</returns>
    /// <exception cref="Qcow2Exception">
    /// The image has no backing file, the destination is not in its chain, an image is damaged, locked, or needs a passphrase.
    /// </exception>
    /// <exception cref="NotSupportedException">The destination would have to grow and cannot.</exception>
    /// <exception cref="IOException">The host could not read or write.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public static string Merge(
        string path,
        ImageMergeOptions? options = null,
        IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        options ??= ImageMergeOptions.Default;
        MergeRoute route = MergeRoute.Find(path, options);
        bool empties = options.Source == MergedImage.Default && route.Depth == 1;
        using var held = new HeldFiles(options.Source == MergedImage.Delete ? route.Images.Take(route.Depth).Select(image => image.Path) : []);
        using (MergeChain chain = MergeChain.Open(route, options, empties, held, cancellationToken))
        {
            // Before the files were locked another program may have layered one of them on something else.
            route.RequireSame(MergeRoute.Find(path, options));
            Merge(chain.Top, chain.Destination, route.Depth, empties, options.ThrottleLimit, progress, cancellationToken);
        }

        held.Delete(); // From the top down: what is left of the chain is whole at any point.
        return route.Destination.Path;
    }

    /// <summary>Merges a disk into another one.</summary>
    /// <param name="top">The disk, opened without what lies from the destination on downwards.</param>
    /// <param name="destination">The destination, open for writing.</param>
    /// <param name="depth">How far below the disk the destination lies.</param>
    /// <param name="empties">Whether the disk is emptied afterwards; it must be open for writing then.</param>
    /// <param name="threads">Threads.</param>
    /// <param name="progress">Told of progress.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    internal static void Merge(
        Qcow2Image top,
        VirtualDisk destination,
        int depth,
        bool empties,
        int threads,
        IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken)
    {
        top.EnsureReadable();
        destination.EnsureReadable();
        if (top.Length > destination.Length)
        {
            destination.Grow(top.Length, cancellationToken);
        }

        using (var work = new WorkQueue<MergePiece>(MergePiece.Of(top, depth, cancellationToken), top.Length, progress, cancellationToken))
        {
            ParallelWorkers.Run(threads, () => Work(top, destination, work), work.Stop);
        }

        destination.Flush();
        if (empties)
        {
            top.Empty();
        }
    }

    private static void Work(VirtualDisk top, VirtualDisk destination, WorkQueue<MergePiece> work)
    {
        byte[]? buffer = null;
        try
        {
            while (work.TryTake(out MergePiece piece))
            {
                switch (piece.Action)
                {
                    case MergeAction.Copy:
                        buffer ??= ArrayPool<byte>.Shared.Rent(1 << Format.Qcow2Limits.MaxClusterBits);
                        Span<byte> data = buffer.AsSpan(0, (int)piece.Length);
                        top.ReadCore(piece.Offset, data);
                        destination.Write(piece.Offset, data);
                        break;
                    case MergeAction.Zero:
                        destination.WriteZeroes(piece.Offset, piece.Length);
                        break;
                }

                work.Complete(piece.Length);
            }
        }
        finally
        {
            if (buffer is not null)
            {
                // What was read may be a decrypted disk.
                ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
            }
        }
    }
}

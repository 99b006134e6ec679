using Qcow2.Engine.Conversion;
using Qcow2.Engine.Formats.Qcow2.Layering;
using Qcow2.Engine.Storage;

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
            ConversionResult result = Merge(chain.Top, chain.Destination, route.Depth, empties, options.ThrottleLimit, progress, cancellationToken, options.ShareExtents);
            options.OnShared?.Invoke(result);
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
    /// <param name="shares">Whether the destination may share extents with the images above it.</param>
    internal static ConversionResult Merge(
        Qcow2Image top,
        VirtualDisk destination,
        int depth,
        bool empties,
        int threads,
        IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken,
        bool shares = true)
    {
        top.EnsureReadable();
        destination.EnsureReadable();
        if (top.Length > destination.Length)
        {
            destination.Grow(top.Length, cancellationToken);
        }

        var how = new ConversionOptions { ThrottleLimit = threads, ShareExtents = shares };
        ConversionResult result;
        top.MayBeShared = true; // Nobody writes it before it is emptied.
        try
        {
            // What an image holds as data stays data: zeros are not looked for.
            using var target = new MergeTarget(destination, destination.TargetOfCopy(isZero: false, how with { SparseSize = 0 }));
            result = DiskCopy.Run(top, target, how, progress, cancellationToken, sharing => MergePiece.Of(top, depth, target, sharing, cancellationToken));
        }
        finally
        {
            top.MayBeShared = false;
        }

        destination.Flush();
        if (empties)
        {
            top.Empty();
        }

        return result;
    }
}

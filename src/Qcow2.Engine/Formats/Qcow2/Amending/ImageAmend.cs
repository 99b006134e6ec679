using Qcow2.Engine.Disks;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Amending;
using Qcow2.Engine.Formats.Qcow2.Checking;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Snapshots;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>Changes the layout of an image where it lies: what <c>qemu-img amend</c> does, but for key slots and the size of the disk.</summary>
/// <remarks>
/// The disk, its snapshots and its bitmaps stay what they are. What is asked for is looked at before anything is written. Then each step
/// is one write into the first sector of the header, for which the rest lies ready, so that whenever this ends the image is sound and each
/// step is done or not begun.
/// </remarks>
public static class ImageAmend
{
    /// <summary>Changes an image.</summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory.</param>
    /// <param name="options">What to change.</param>
    /// <param name="progress">Told of progress, on the calling thread; null for nobody.</param>
    /// <param name="cancellationToken">Stops the work within a fraction of a second; each step is then done or not begun.</param>
    /// <exception cref="ArgumentException">The options contradict each other, or no image could have one.</exception>
    /// <exception cref="NotSupportedException">The image's version or layout forbids what is asked for.</exception>
    /// <exception cref="Qcow2Exception">
    /// The image is damaged or locked, a reference count does not fit the new width, or the header has no room. Nothing has changed.
    /// </exception>
    /// <exception cref="IOException">The host could not read or write.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public static void Amend(
        string path, ImageAmendOptions options, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using LocalFile file = ImageFile.OpenForWriting(path);
        Amend(file, options, progress, cancellationToken);
    }

    /// <summary>Changes an image in storage that stays the caller's.</summary>
    internal static void Amend(
        BlockStorage file, ImageAmendOptions options, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        try
        {
            Qcow2Header header = HeaderCluster.Load(file);
            header.EnsureSupported();
            header.EnsureExtensionsKnown();
            AmendRules.Check(header, options, file.Path);
            header = DirtyImage.MakeWritable(file, header, cancellationToken);
            SnapshotTable snapshots = SnapshotTable.Load(file, header);
            snapshots.EnsureComplete();
            new Amendment(file, header, snapshots.Entries, options, progress, cancellationToken).Run();
        }
        catch (Qcow2Exception e)
        {
            e.At(file.Path);
            throw;
        }
    }
}

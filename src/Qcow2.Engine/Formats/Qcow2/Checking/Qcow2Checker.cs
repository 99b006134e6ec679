using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>
/// Checks an image as <c>qemu-img check</c> does: every table, the refcount of every cluster, flags, overlaps and bounds. It works on
/// images that cannot be opened, on any bytes whatever: damage becomes a finding.
/// </summary>
/// <example>
/// <code>
/// Qcow2CheckResult result = Qcow2Checker.Check("disk.qcow2");
/// Console.WriteLine(result.IsHealthy);
/// </code>
/// </example>
public static class Qcow2Checker
{
    /// <summary>Checks an image. It is only read, and no other file is opened.</summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory.</param>
    /// <param name="options">How; null for <see cref="Qcow2CheckOptions.Default"/>.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for none.</param>
    /// <param name="cancellationToken">Stops the check within a fraction of a second.</param>
    /// <exception cref="Qcow2Exception">The file is no QCOW2 image, or another program is writing it.</exception>
    /// <exception cref="IOException">The host could not open or read the file.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public static Qcow2CheckResult Check(
        string path, Qcow2CheckOptions? options = null, IProgress<Qcow2CheckProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        options ??= Qcow2CheckOptions.Default;
        using LocalFile file = ImageFile.Open(path, new Qcow2OpenOptions { ForceShare = options.ForceShare });
        return Check(file, options, progress, cancellationToken);
    }

    /// <summary>
    /// Adds up the clusters of an image that its refcounts say are in use. Nothing but the header and the refcounts is read, so that this is quick, and true as far as they are: what a check
    /// would find leaked counts as used. What the file takes on its disk beyond that is of no use to the image.
    /// </summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory.</param>
    /// <param name="forceShare">Whether an image that another program writes is read all the same.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>Bytes; null where the header, the refcount table or a part of the refcounts is damaged, so that the number would be made up.</returns>
    /// <exception cref="Qcow2Exception">The file is no QCOW2 image, or another program is writing it.</exception>
    /// <exception cref="IOException">The host could not open or read the file.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public static long? CountUsedBytes(string path, bool forceShare = false, CancellationToken cancellationToken = default)
    {
        using LocalFile file = ImageFile.Open(path, new Qcow2OpenOptions { ForceShare = forceShare });
        try
        {
            Qcow2Header? header = HeaderAudit.Load(file, new FindingLog(0), out bool isTableUsable);
            long clusters = header is null || !isTableUsable ? long.MaxValue : AuditContext.ClustersOf(file.Length, header);
            return clusters > int.MaxValue
                ? null
                : StoredRefcounts.Load(file, header!, isTableUsable, clusters, Environment.ProcessorCount, cancellationToken).CountUsed() << header!.ClusterBits;
        }
        catch (Qcow2Exception e)
        {
            e.At(file.Path);
            throw;
        }
    }

    /// <summary>Checks an image that lies in storage of the caller's, who closes it.</summary>
    /// <param name="storage">The image's bytes.</param>
    /// <param name="options">How; null for <see cref="Qcow2CheckOptions.Default"/>.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for none.</param>
    /// <param name="cancellationToken">Stops the check within a fraction of a second.</param>
    /// <exception cref="Qcow2Exception">The bytes are no QCOW2 image.</exception>
    /// <exception cref="IOException">The host could not read.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public static Qcow2CheckResult Check(
        BlockStorage storage, Qcow2CheckOptions? options = null, IProgress<Qcow2CheckProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        try
        {
            return ImageAudit.Run(storage, options ?? Qcow2CheckOptions.Default, progress, cancellationToken).Result;
        }
        catch (Qcow2Exception e)
        {
            e.At(storage.Path);
            throw;
        }
    }
}

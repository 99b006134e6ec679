using Qcow2.Engine.Disks;
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

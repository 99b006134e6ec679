using Qcow2.Engine.Disks;
using Qcow2.Engine.Formats.Qcow2.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>How far a repair may go.</summary>
public enum Qcow2RepairMode
{
    /// <summary>Gives clusters back that nothing refers to. Touches nothing else, but for flags that follow from that.</summary>
    Leaks,

    /// <summary>
    /// Also corrects refcounts and flags, makes the refcount structure anew where it cannot be used, and drops entries that lead
    /// nowhere: what they stood for reads as zeros.
    /// </summary>
    All,
}

/// <summary>Repairs images as <c>qemu-img check -r</c> does.</summary>
/// <remarks>
/// It may be interrupted at any point: what was done until then is no worse than before, and a second repair does the rest. It
/// frees nothing that any entry may refer to, however damaged the entry is.
/// </remarks>
public static class Qcow2Repairer
{
    /// <summary>Checks an image, repairs it and checks it again.</summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory.</param>
    /// <param name="mode">How far the repair may go.</param>
    /// <param name="options">How to check; null for <see cref="Qcow2CheckOptions.Default"/>.</param>
    /// <param name="progress">Told of the progress of each check, from any of its threads; null for none.</param>
    /// <param name="cancellationToken">Stops the repair within a fraction of a second.</param>
    /// <returns>What is there now; <see cref="Qcow2CheckResult.Before"/> says what was there.</returns>
    /// <exception cref="Qcow2Exception">The file is no QCOW2 image, its header is damaged or unknown, or another program has it open.</exception>
    /// <exception cref="IOException">The host could not open, read or write the file.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public static Qcow2CheckResult Repair(
        string path, Qcow2RepairMode mode, Qcow2CheckOptions? options = null, IProgress<Qcow2CheckProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        options ??= Qcow2CheckOptions.Default;
        using LocalFile file = ImageFile.OpenForWriting(path);
        return Repair(file, mode, options, progress, cancellationToken);
    }

    /// <summary>Checks an image that lies in storage of the caller's, repairs it and checks it again.</summary>
    /// <param name="storage">The image's bytes, which nobody else may write.</param>
    /// <param name="mode">How far the repair may go.</param>
    /// <param name="options">How to check; null for <see cref="Qcow2CheckOptions.Default"/>.</param>
    /// <param name="progress">Told of the progress of each check, from any of its threads; null for none.</param>
    /// <param name="cancellationToken">Stops the repair within a fraction of a second.</param>
    /// <returns>What is there now; <see cref="Qcow2CheckResult.Before"/> says what was there.</returns>
    /// <exception cref="Qcow2Exception">The bytes are no QCOW2 image, or its header is damaged or unknown.</exception>
    /// <exception cref="IOException">The host could not read or write.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public static Qcow2CheckResult Repair(
        BlockStorage storage, Qcow2RepairMode mode, Qcow2CheckOptions? options = null, IProgress<Qcow2CheckProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        try
        {
            RepairScope scope = mode == Qcow2RepairMode.All ? RepairScope.All : RepairScope.Leaks;
            return new ImageRepair(storage, scope, options ?? Qcow2CheckOptions.Default, progress, cancellationToken).Run();
        }
        catch (Qcow2Exception e)
        {
            e.At(storage.Path);
            throw;
        }
    }
}

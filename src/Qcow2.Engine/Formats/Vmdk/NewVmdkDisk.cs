using Qcow2.Engine.Disks.Copying;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>A new disk, whatever files it has, and those that only the disk had which it takes the place of.</summary>
/// <param name="files">The new files, owned from now on.</param>
/// <param name="surplus">The old ones, owned from now on.</param>
internal sealed class NewVmdkDisk(NewDiskFile files, SurplusExtents surplus) : NewDiskFile
{
    /// <inheritdoc/>
    internal override CopyTarget Target => files.Target;

    /// <inheritdoc/>
    internal override IReadOnlyList<string> Complete(CancellationToken cancellationToken) => files.Complete(cancellationToken);

    /// <inheritdoc/>
    internal override void Commit(CancellationToken cancellationToken)
    {
        files.Commit(cancellationToken);
        surplus.Delete();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        files.Dispose();
        surplus.Dispose();
    }
}

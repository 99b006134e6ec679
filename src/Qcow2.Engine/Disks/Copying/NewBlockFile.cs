using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.Copying;

/// <summary>A file with tables of its own that a disk is copied into. All that is written is in one file, which gets its name when it is complete.</summary>
/// <param name="file">The file.</param>
/// <param name="target">What the disk's bytes go to; owned from now on, as the file is.</param>
internal sealed class NewBlockFile(ReplacementFile file, CopyTarget target) : NewDiskFile
{
    /// <inheritdoc/>
    internal override CopyTarget Target => target;

    /// <inheritdoc/>
    internal override IReadOnlyList<string> Complete(CancellationToken cancellationToken)
    {
        target.FillRest(cancellationToken);
        target.Complete();
        return [];
    }

    /// <inheritdoc/>
    internal override void Commit(CancellationToken cancellationToken)
    {
        file.Storage.Flush();
        cancellationToken.ThrowIfCancellationRequested();
        file.Commit();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        target.Dispose();
        file.Dispose();
    }
}

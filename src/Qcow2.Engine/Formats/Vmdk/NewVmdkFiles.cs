using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>A disk of a descriptor and the files that it names. All get their names when all are complete, the descriptor last.</summary>
internal sealed class NewVmdkFiles : NewDiskFile
{
    private readonly ReplacementFile _descriptor;
    private readonly List<ReplacementFile> _extents;
    private readonly byte[] _text;

    private NewVmdkFiles(ReplacementFile descriptor, List<ReplacementFile> extents, byte[] text, CopyTarget target)
    {
        _descriptor = descriptor;
        _extents = extents;
        _text = text;
        Target = target;
    }

    /// <inheritdoc/>
    internal override CopyTarget Target { get; }

    /// <summary>Begins the files.</summary>
    /// <param name="path">Full path of the descriptor.</param>
    /// <param name="text">What it says.</param>
    /// <param name="extents">The files that it names.</param>
    /// <param name="overwrite">Whether files that exist are replaced.</param>
    /// <param name="source">What is copied into them, which is read from none of them; null for nothing.</param>
    /// <param name="newTarget">Begins to fill the file of an extent, given its part of the disk.</param>
    internal static NewVmdkFiles Begin(
        string path, byte[] text, VmdkNewExtent[] extents, bool overwrite, VirtualDisk? source, Func<BlockStorage, long, CopyTarget> newTarget)
    {
        var files = new List<ReplacementFile>();
        ReplacementFile? descriptor = null;
        try
        {
            descriptor = ReplacementFile.Create(path, overwrite);
            var targets = new List<CopyTarget>();
            foreach (VmdkNewExtent extent in extents)
            {
                string extentPath = VmdkFileName.PathOf(path, extent.FileName);
                source?.RequireOther(extentPath);
                files.Add(ReplacementFile.Create(extentPath, overwrite));
                targets.Add(newTarget(files[files.Count - 1].Storage, extent.Length));
            }

            return new NewVmdkFiles(descriptor, files, text, new VmdkSplitTarget(targets));
        }
        catch
        {
            descriptor?.Dispose();
            files.ForEach(file => file.Dispose());
            throw;
        }
    }

    /// <inheritdoc/>
    internal override IReadOnlyList<string> Complete(CancellationToken cancellationToken)
    {
        Target.Complete();
        _descriptor.Storage.Write(0, _text);
        return [];
    }

    /// <inheritdoc/>
    internal override void Commit(CancellationToken cancellationToken)
    {
        _descriptor.Storage.Flush();
        _extents.ForEach(file => file.Storage.Flush());
        cancellationToken.ThrowIfCancellationRequested();

        // Or the old descriptor would be left with new extents.
        _descriptor.EnsureReplaceable();
        _extents.ForEach(file => file.EnsureReplaceable());
        _extents.ForEach(file => file.Commit());
        _descriptor.Commit();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        Target.Dispose();
        _descriptor.Dispose();
        _extents.ForEach(file => file.Dispose());
    }
}

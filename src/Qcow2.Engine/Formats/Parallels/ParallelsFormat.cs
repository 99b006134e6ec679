using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Formats.Parallels.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Parallels;

/// <summary>The format of Parallels, of which a file is read: not the folder that holds it with its description.</summary>
internal sealed class ParallelsFormat() : DiskFormat("parallels", "a Parallels image", ".hds")
{
    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override bool CanCreate => false;

    /// <inheritdoc/>
    public override bool CanCheck => true;

    /// <inheritdoc/>
    internal override bool IsMarked(FileContent content) => ParallelsHeader.IsMarked(content);

    /// <inheritdoc/>
    internal override VirtualDisk Open(BlockStorage storage, ChainContext chain) => ParallelsDisk.Open(storage, chain.Options.OnProblem);

    /// <inheritdoc/>
    internal override Qcow2CheckResult Check(FileCheck check) => ParallelsChecker.Run(check);

    /// <inheritdoc/>
    internal override Qcow2ImageInfo Describe(BlockStorage file)
    {
        var header = ParallelsHeader.Load(file);
        return new Qcow2ImageInfo { Size = header.Size, ClusterSize = header.BlockSize, IsDirty = header.IsInUse };
    }
}

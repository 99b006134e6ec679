using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Formats.Qed.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qed;

/// <summary>QEMU's enhanced disk format, which QCOW2 of version 3 took the place of.</summary>
internal sealed class QedFormat() : DiskFormat("qed", "a QED image", ".qed")
{
    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override bool CanCreate => false;

    /// <inheritdoc/>
    public override bool CanCheck => true;

    /// <inheritdoc/>
    internal override bool IsMarked(FileContent content) => content.Has(0, QedHeader.Mark);

    /// <inheritdoc/>
    internal override VirtualDisk Open(BlockStorage storage, ChainContext chain) => QedDisk.Open(
        storage,
        header => chain.Options.WithoutBacking
            ? new UnopenedDisk(header.BackingFile!, storage.Path)
            : ParentFile.Open(header.BackingFile!, BackingFormatOf(header), storage.Path, chain),
        chain.Options.OnProblem);

    /// <inheritdoc/>
    internal override Qcow2CheckResult Check(FileCheck check) => QedChecker.Run(check);

    /// <inheritdoc/>
    internal override Qcow2ImageInfo Describe(BlockStorage file)
    {
        var header = QedHeader.Load(file);
        return new Qcow2ImageInfo
        {
            Size = header.Size,
            ClusterSize = header.ClusterSize,
            BackingFile = header.BackingFile,
            BackingFormat = header.BackingFile is null ? null : BackingFormatOf(header),
            ParentPath = header.BackingFile is string name ? ImageReference.TryResolve(name, file) : null,
            IsDirty = header.NeedsCheck,
        };
    }

    /// <summary>A raw disk is recorded as one. QEMU guesses what else it is by its content, which is not done here.</summary>
    private static string? BackingFormatOf(QedHeader header) => header.IsBackingRaw ? DiskFormats.Raw.Name : null;
}

using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Formats.Qcow1.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow1;

/// <summary>QEMU's first copy-on-write format, which QEMU calls <c>qcow</c>. New files of that name are QCOW2, so that no extension is its own.</summary>
internal sealed class Qcow1Format() : DiskFormat("qcow", "a QCOW image of version 1")
{
    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override bool CanCreate => false;

    /// <inheritdoc/>
    public override bool CanCheck => true;

    /// <inheritdoc/>
    internal override bool IsMarked(FileContent content) => content.Has(0, Qcow1Header.Mark);

    /// <inheritdoc/>
    internal override VirtualDisk Open(BlockStorage storage, ChainContext chain)
        => Qcow1Disk.Open(
            storage, name => chain.Options.WithoutBacking ? new UnopenedDisk(name, storage.Path) : ParentFile.Open(name, null, storage.Path, chain), chain.PassphraseOf(storage));

    /// <inheritdoc/>
    internal override Qcow2CheckResult Check(FileCheck check) => Qcow1Checker.Run(check);

    /// <inheritdoc/>
    internal override Qcow2ImageInfo Describe(BlockStorage file)
    {
        var header = Qcow1Header.Load(file);
        return new Qcow2ImageInfo
        {
            Size = header.Size,
            ClusterSize = header.ClusterSize,
            BackingFile = header.BackingFile,
            ParentPath = header.BackingFile is string name ? ImageReference.TryResolve(name, file) : null,
            EncryptionMethod = header.EncryptionMethod,
        };
    }
}

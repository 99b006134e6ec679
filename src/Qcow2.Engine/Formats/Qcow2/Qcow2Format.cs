using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Formats.Qcow2.Checking;
using Qcow2.Engine.Formats.Qcow2.Information;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2;

/// <summary>QEMU's copy-on-write format, in its versions 2 and 3.</summary>
internal sealed class Qcow2Format() : DiskFormat("qcow2", "a qcow2 image", ".qcow2", ".qcow")
{
    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override bool CanCreate => true;

    /// <inheritdoc/>
    public override bool CanCheck => true;

    /// <inheritdoc/>
    public override bool HasSnapshots => true;

    /// <summary>Cloud images are: most of those for download are qcow2 files of such names.</summary>
    internal override bool IsCalledAnyDisk => true;

    /// <summary>"QFI" and 0xfb (specification: "Header"). Version 1 has it, too, and is refused by its number when it is opened.</summary>
    internal override bool IsMarked(FileContent content) => content.Has(0, [0x51, 0x46, 0x49, 0xfb]);

    /// <inheritdoc/>
    internal override VirtualDisk Open(BlockStorage storage, ChainContext chain) => Qcow2Image.Open(storage, chain);

    /// <inheritdoc/>
    internal override Qcow2ImageInfo Describe(BlockStorage file) => Qcow2InfoReader.Describe(file);

    /// <inheritdoc/>
    internal override Qcow2CheckResult Check(FileCheck check) => ImageAudit.Run(check.File, check.Options, check.Progress, check.CancellationToken).Result;
}

using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Formats.Vdi.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vdi;

/// <summary>The format of VirtualBox.</summary>
internal sealed class VdiFormat() : DiskFormat("vdi", "a VDI image", ".vdi")
{
    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override bool CanCreate => true;

    /// <inheritdoc/>
    public override bool CanCheck => true;

    /// <inheritdoc/>
    internal override bool IsMarked(FileContent content) => content.Has(VdiHeader.SignatureOffset, VdiHeader.Mark);

    /// <inheritdoc/>
    internal override VirtualDisk Open(BlockStorage storage, ChainContext chain)
        => VdiDisk.Open(storage, header => chain.Options.WithoutBacking
            ? new UnopenedDisk($"{{{header.ParentId}}}", storage.Path)
            : throw new Qcow2Exception(
                Qcow2ErrorCode.BackingFileUnavailable,
                $"This is a differencing disk over the one with the id {header.ParentId}. A VDI file does not say where that is, only VirtualBox's list of disks does: "
                + "have VirtualBox make a whole disk of it (VBoxManage clonemedium disk), and take that."));

    /// <inheritdoc/>
    internal override Qcow2CheckResult Check(FileCheck check) => VdiChecker.Run(check);

    /// <inheritdoc/>
    internal override Qcow2ImageInfo Describe(LocalFile file)
    {
        var header = VdiHeader.Load(file);
        return new Qcow2ImageInfo
        {
            Size = header.DiskSize,
            Subformat = header.HasParent ? nameof(VdiType.Differencing) : header.Type.ToString(),
            ClusterSize = (int)header.BlockSize,
            DiskIdentifier = header.Id.ToString(),
            ParentIdentifier = header.HasParent ? header.ParentId.ToString() : null,
        };
    }
}

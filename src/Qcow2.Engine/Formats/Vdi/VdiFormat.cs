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
    internal override VirtualDisk Open(BlockStorage storage, ChainContext chain) => OpenVdi(storage, chain);

    internal static VdiDisk OpenVdi(BlockStorage storage, ChainContext chain)
    {
        VdiDisk disk = VdiDisk.Open(
            storage, header => chain.Options.WithoutBacking ? new UnopenedDisk($"{{{header.ParentId}}}", storage.Path) : VdiParentFile.Open(header, storage.Path, chain));
        if (disk.Header is { Type: VdiType.Differencing, HasParent: false })
        {
            const string Problem = "The VDI file is of the type 4 (differencing) and records no parent: what it does not hold is not known";
            if (!chain.Options.Salvage)
            {
                throw Qcow2Errors.Corrupt(Problem + ".").At(storage.Path);
            }

            chain.Options.OnProblem?.Invoke($"{storage.Path}: {Problem}, and is read as zeros.");
        }

        return disk;
    }

    /// <summary>A child has its parent's id and no name.</summary>
    internal override bool HasParent(Qcow2ImageInfo info) => info.ParentIdentifier is not null;

    /// <inheritdoc/>
    internal override (LocalFile File, DiskFormat Format) OpenParentForInformation(Qcow2ImageInfo child, Qcow2OpenOptions options)
    {
        using LocalFile file = LocalFile.OpenRead(child.Path);
        return (VdiParentFile.Find(VdiHeader.Load(file), child.Path, options.ParentPaths, ImageFile.OpenUnlocked), this);
    }

    /// <inheritdoc/>
    internal override Qcow2CheckResult Check(FileCheck check) => VdiChecker.Run(check);

    /// <inheritdoc/>
    internal override Qcow2ImageInfo Describe(BlockStorage file)
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

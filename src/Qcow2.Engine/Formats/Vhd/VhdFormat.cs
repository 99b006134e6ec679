using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Formats.Vhd.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>The format of Virtual PC, Hyper-V and Azure, which QEMU calls <c>vpc</c>.</summary>
internal sealed class VhdFormat() : DiskFormat("vhd", "a VHD image", ".vhd", ".avhd", ".vpc")
{
    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override bool CanCreate => true;

    /// <inheritdoc/>
    public override bool CanCheck => true;

    /// <inheritdoc/>
    public override string Appearance => $"ends as {Description} does";

    /// <summary>QEMU's name.</summary>
    public override string RecordedName => "vpc";

    /// <summary>
    /// Only the footer at the end counts, which no guest of a VHD writes. What begins as a VHD and does not end as one is read on somebody's word:
    /// it may be one that was cut off, and it may be a raw disk whose guest wrote that.
    /// </summary>
    internal override bool IsMarked(FileContent content)
        => content.HasAtEnd(VhdFooter.Length, VhdFooter.Cookie) || content.HasAtEnd(VhdFooter.ShortLength, VhdFooter.Cookie);

    /// <inheritdoc/>
    internal override VirtualDisk Open(BlockStorage storage, ChainContext chain) => OpenVhd(storage, chain);

    internal static VhdDisk OpenVhd(BlockStorage storage, ChainContext chain)
    {
        var structure = VhdStructure.Read(storage, isSaid: true, chain.Options.Salvage);
        VhdParent? parent = structure.IsDifferencing ? VhdParentFile.Open(structure, storage.Path, chain) : null;
        try
        {
            return VhdDisk.Open(storage, structure, parent, chain.Options.Salvage, chain.Options.OnProblem);
        }
        catch
        {
            parent?.Disk.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    internal override Qcow2ImageInfo Describe(BlockStorage file) => VhdInfoReader.Describe(file);

    /// <inheritdoc/>
    internal override Qcow2CheckResult Check(FileCheck check) => VhdChecker.Run(check);

    /// <inheritdoc/>
    internal override (LocalFile File, DiskFormat Format) OpenParentForInformation(Qcow2ImageInfo child, Qcow2OpenOptions options)
    {
        using LocalFile file = LocalFile.OpenRead(child.Path);
        var structure = VhdStructure.Read(file, isSaid: true, isSalvage: false);
        return (VhdParentFile.Find(structure, child.Path, options.References, ImageFile.OpenUnlocked, null), this);
    }
}

using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Formats.Vhdx.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>The format of Hyper-V since Windows 8.</summary>
internal sealed class VhdxFormat() : DiskFormat("vhdx", "a VHDX image", ".vhdx", ".avhdx")
{
    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override bool CanCreate => true;

    /// <inheritdoc/>
    public override bool CanCheck => true;

    /// <inheritdoc/>
    internal override bool IsMarked(FileContent content) => content.Has(0, "vhdxfile"u8);

    /// <inheritdoc/>
    internal override VirtualDisk Open(BlockStorage storage, ChainContext chain) => OpenVhdx(storage, chain);

    /// <inheritdoc/>
    internal override Qcow2CheckResult Check(FileCheck check) => VhdxChecker.Run(check);

    /// <inheritdoc/>
    internal override Qcow2ImageInfo Describe(BlockStorage file)
    {
        VhdxFile vhdx = VhdxFile.Load(file);
        VhdxMetadata metadata = vhdx.Metadata;
        IReadOnlyList<string> parents = metadata.ParentLocator?.Names ?? [];
        return new Qcow2ImageInfo
        {
            Size = metadata.DiskSize,
            Subformat = metadata.HasParent ? "Differencing" : metadata.IsFixed ? "Fixed" : "Dynamic",
            ClusterSize = metadata.BlockSize,
            LogicalSectorSize = metadata.LogicalSectorSize,
            PhysicalSectorSize = metadata.PhysicalSectorSize,
            DiskIdentifier = metadata.DiskId.ToString(),
            BackingFile = metadata.HasParent ? parents is [string first, ..] ? first : "" : null,
            BackingFormat = metadata.HasParent ? Name : null,
            ParentPath = metadata.HasParent ? ParentSearch.PathOf(parents, file) : null,
            Problems = [.. vhdx.Problems],
            Vhdx = new VhdxInfo
            {
                Creator = vhdx.Creator,
                DataWriteId = vhdx.Header.DataWriteGuid.ToString(),
                FileWriteId = vhdx.Header.FileWriteGuid.ToString(),
                HasLog = vhdx.Header.HasLog,
                ParentDataWriteIds = [.. (metadata.ParentLocator?.Linkages ?? []).Select(id => id.ToString())],
                ParentNames = [.. parents],
            },
        };
    }

    /// <inheritdoc/>
    internal override (LocalFile File, DiskFormat Format) OpenParentForInformation(Qcow2ImageInfo child, Qcow2OpenOptions options)
    {
        using LocalFile file = LocalFile.OpenRead(child.Path);
        return (FindParent(VhdxFile.Load(file).Metadata.ParentLocator!, child.Path, options.References, ImageFile.OpenUnlocked, null), this);
    }

    private static VhdxDisk OpenVhdx(BlockStorage storage, ChainContext chain)
    {
        VhdxDisk disk = VhdxDisk.Open(storage, locator => OpenParent(locator, storage.Path, chain));
        foreach (string problem in disk.File.Problems)
        {
            chain.Options.OnProblem?.Invoke($"{storage.Path}: {problem}");
        }

        return disk;
    }

    private static VirtualDisk OpenParent(VhdxParentLocator locator, string childPath, ChainContext chain)
    {
        if (chain.Options.WithoutBacking)
        {
            return new UnopenedDisk(locator.Names is [string first, ..] ? first : "parent", childPath);
        }

        LocalFile file = FindParent(locator, childPath, chain.Options.References, path => ImageFile.Open(path, chain.Options), chain);
        try
        {
            return OpenVhdx(file, chain.Enter(file, childPath));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    internal static LocalFile FindParent(VhdxParentLocator locator, string childPath, ReferencePolicy policy, Func<string, LocalFile> open, ChainContext? chain)
        => new ParentSearch(childPath, policy, open, chain).Find(
            locator.Names,
            file => VhdxParentCheck.Check(locator, file.Path, VhdxHeader.Load(file, []).DataWriteGuid),
            $"the data write id {string.Join(" or ", locator.Linkages)}");
}

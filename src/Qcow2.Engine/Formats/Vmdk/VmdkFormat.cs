using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Formats.Vmdk.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>The format of VMware: a file with everything in it, or a descriptor that names others.</summary>
internal sealed class VmdkFormat() : DiskFormat("vmdk", "a VMDK image", ".vmdk")
{
    private const string ExtentRole = "extent";

    /// <summary>A descriptor is short. What is longer and begins like one may be a guest's disk.</summary>
    internal const long MaxMarkedDescriptorLength = 1 << 20;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override bool CanCreate => true;

    /// <inheritdoc/>
    public override bool CanCheck => true;

    /// <inheritdoc/>
    internal override bool IsMarked(FileContent content)
        => VmdkSparseLayout.KindOf(content.Start) is not null
            || (content.Length <= MaxMarkedDescriptorLength && VmdkDescriptor.HasSignature(content.Start));

    /// <inheritdoc/>
    internal override VirtualDisk Open(BlockStorage storage, ChainContext chain) => OpenVmdk(storage, chain);

    /// <inheritdoc/>
    internal override Qcow2CheckResult Check(FileCheck check) => VmdkChecker.Run(check);

    /// <inheritdoc/>
    internal override Qcow2ImageInfo Describe(BlockStorage file)
    {
        (VmdkDescriptor descriptor, VmdkSparseLayout? layout) = VmdkDisk.LoadDescriptor(file);
        IReadOnlyList<string> parents = ParentNames(descriptor);
        return new Qcow2ImageInfo
        {
            Size = layout is null ? descriptor.Extents.Sum(extent => extent.Sectors * VmdkLimits.SectorSize) : VmdkDisk.OwnLength(descriptor, layout),
            Subformat = descriptor.CreateType.Length > 0 ? descriptor.CreateType : null,
            ClusterSize = layout?.GrainSize,
            DiskIdentifier = descriptor.ContentId.ToString("x8", System.Globalization.CultureInfo.InvariantCulture),
            ParentIdentifier = descriptor.HasParent ? descriptor.ParentContentId.ToString("x8", System.Globalization.CultureInfo.InvariantCulture) : null,
            BackingFile = descriptor.HasParent ? parents is [string first, ..] ? first : "" : null,
            BackingFormat = descriptor.HasParent ? Name : null,
            ParentPath = descriptor.HasParent ? ParentSearch.PathOf(parents, file) : null,
            Problems = layout?.Problem is string problem ? [problem] : [],
            Vmdk = new VmdkInfo
            {
                AdapterType = descriptor.AdapterType ?? "",
                Extents = layout is null ? [.. descriptor.Extents.Select(extent => extent.ToString())] : [],
            },
        };
    }

    /// <inheritdoc/>
    internal override (LocalFile File, DiskFormat Format) OpenParentForInformation(Qcow2ImageInfo child, Qcow2OpenOptions options)
    {
        using LocalFile file = LocalFile.OpenRead(child.Path);
        return (FindParent(VmdkDisk.LoadDescriptor(file).Descriptor, child.Path, options.References, ImageFile.OpenUnlocked, null), this);
    }

    private static VmdkDisk OpenVmdk(BlockStorage storage, ChainContext chain)
    {
        VmdkDisk disk = VmdkDisk.Open(storage, name => OpenExtent(name, storage.Path, chain), descriptor => OpenParent(descriptor, storage.Path, chain));
        foreach (string problem in disk.Problems)
        {
            chain.Options.OnProblem?.Invoke($"{storage.Path}: {problem}");
        }

        return disk;
    }

    /// <summary>
    /// Opens an extent, which lies where its descriptor does or below. VMware writes no others but for devices; another name is that of a file of this
    /// machine that somebody wants to see as a disk.
    /// </summary>
    internal static LocalFile OpenExtent(string name, string descriptorPath, ChainContext chain)
    {
        string path = ResolveExtent(name, descriptorPath, chain.Options.References);
        return ReferencedFile.Open(path, ExtentRole, Qcow2ErrorCode.DataFileUnavailable, descriptorPath, named => ImageFile.Open(named, chain.Options));
    }

    /// <summary>The path of an extent. Nothing is opened.</summary>
    /// <exception cref="Qcow2Exception">It may not be opened.</exception>
    internal static string ResolveExtent(string name, string descriptorPath, ReferencePolicy policy)
    {
        string path = ImageReference.Resolve(name, descriptorPath, ExtentRole, policy);
        string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(descriptorPath))!;
        if (!IsBelow(System.IO.Path.GetFullPath(path), folder))
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.ReferenceForbidden,
                $"The image names the extent '{PrintableText.Of(name)}', which is outside of its own folder; extents lie beside their descriptor. If it is meant, put it there and change the descriptor's line.")
                .At(descriptorPath);
        }

        return path;
    }

    private static bool IsBelow(string path, string folder)
        => path.StartsWith(folder.TrimEnd(System.IO.Path.DirectorySeparatorChar) + System.IO.Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private static VirtualDisk OpenParent(VmdkDescriptor descriptor, string childPath, ChainContext chain)
    {
        if (chain.Options.WithoutBacking)
        {
            return new UnopenedDisk(descriptor.ParentFileName ?? "parent", childPath);
        }

        LocalFile file = FindParent(descriptor, childPath, chain.Options.References, path => ImageFile.Open(path, chain.Options), chain);
        try
        {
            return OpenVmdk(file, chain.Enter(file, childPath));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    internal static LocalFile FindParent(VmdkDescriptor child, string childPath, ReferencePolicy policy, Func<string, LocalFile> open, ChainContext? chain)
        => new ParentSearch(childPath, policy, open, chain).Find(
            ParentNames(child), file => VmdkParentCheck.Check(child, file.Path, VmdkDisk.LoadDescriptor(file).Descriptor), $"the CID {child.ParentContentId:x8}");

    private static string[] ParentNames(VmdkDescriptor descriptor) => descriptor.ParentFileName is string name ? [name] : [];
}

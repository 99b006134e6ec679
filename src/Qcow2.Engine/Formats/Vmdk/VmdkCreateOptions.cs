using Qcow2.Engine.Conversion;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Formats.Vmdk;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>How to lay out a new VMDK disk (VMware). Disks of several files are opened by the descriptor, which has the name that is asked for.</summary>
public sealed record VmdkCreateOptions : BlockCreateOptions
{
    /// <summary>One file that grows.</summary>
    public static VmdkCreateOptions Default { get; } = new();

    /// <summary>Which files are made, and how the disk lies in them.</summary>
    public VmdkCreateType CreateType { get; init; }

    /// <summary>The adapter that the disk is made for.</summary>
    public VmdkAdapterType AdapterType { get; init; }

    /// <inheritdoc/>
    public override string FormatName => "vmdk";

    /// <inheritdoc/>
    internal override bool IsCompressed => CreateType == VmdkCreateType.StreamOptimized;

    private protected override string Subject => IsCompressed ? "A VMDK image" : "A VMDK image that is not streamOptimized";

    private protected override bool IsWhole => CreateType is VmdkCreateType.MonolithicFlat or VmdkCreateType.TwoGbMaxExtentFlat or VmdkCreateType.VmfsFlat;

    /// <inheritdoc/>
    public override long DiskSizeFor(long size)
    {
        long diskSize = DiskSize.RoundUp(size);
        VmdkNewLimits.Check(CreateType, diskSize);
        return diskSize;
    }

    private protected override long BlockSizeOf(long diskSize) => VmdkNewLayout.GrainSize;

    /// <inheritdoc/>
    /// <remarks>Of a disk with a descriptor of its own the files that it names count, not its few lines. Of a stream it is the most that it can have.</remarks>
    private protected override long FileSizeOf(long diskSize, long blocks) => CreateType switch
    {
        VmdkCreateType.MonolithicSparse => new VmdkNewLayout(diskSize, hasDescriptor: true).FileSizeOf(blocks),
        VmdkCreateType.TwoGbMaxExtentSparse
            => VmdkSplit.Of(diskSize).Sum(length => new VmdkNewLayout(length, hasDescriptor: false).FileSizeOf(0)) + (blocks * VmdkNewLayout.GrainSize),
        VmdkCreateType.StreamOptimized => VmdkStreamLayout.MaxFileSizeOf(diskSize, blocks),
        _ => diskSize,
    };

    private protected override BlockTarget NewTarget(BlockStorage file, long diskSize, int sparseSize)
        => new VmdkSparseTarget(file, new VmdkNewLayout(diskSize, hasDescriptor: true), Descriptor(new VmdkNewExtent(System.IO.Path.GetFileName(file.Path), diskSize)), sparseSize);

    /// <inheritdoc/>
    private protected override NewDiskFile BeginFile(VirtualDisk? source, string path, long diskSize, bool overwrite, ConversionOptions options)
    {
        VmdkFileName.Check(path);
        VmdkNewExtent[] extents = ExtentsOf(path, diskSize);
        NewDiskFile files = BeginFiles(source, path, diskSize, extents, overwrite, options);
        try
        {
            return new NewVmdkDisk(files, SurplusExtents.Of(path, [path, .. extents.Select(extent => VmdkFileName.PathOf(path, extent.FileName))], source));
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <summary>The files that the disk has beside its descriptor; none where all is in one.</summary>
    private VmdkNewExtent[] ExtentsOf(string path, long diskSize)
    {
        if (CreateType is VmdkCreateType.MonolithicSparse or VmdkCreateType.StreamOptimized)
        {
            return [];
        }

        bool isSplit = CreateType is VmdkCreateType.TwoGbMaxExtentSparse or VmdkCreateType.TwoGbMaxExtentFlat;
        return [.. (isSplit ? VmdkSplit.Of(diskSize) : [diskSize]).Select((length, index) => new VmdkNewExtent(VmdkFileName.OfExtent(path, CreateType, index), length))];
    }

    private NewDiskFile BeginFiles(VirtualDisk? source, string path, long diskSize, VmdkNewExtent[] extents, bool overwrite, ConversionOptions options)
    {
        switch (CreateType)
        {
            case VmdkCreateType.MonolithicSparse:
                return base.BeginFile(source, path, diskSize, overwrite, options);
            case VmdkCreateType.StreamOptimized:
                int level = VmdkStreamLayout.LevelOf(options.CompressionLevel);
                byte[] text = Descriptor(new VmdkNewExtent(System.IO.Path.GetFileName(path), diskSize));
                return BeginFile(path, overwrite, file => new VmdkStreamTarget(file, diskSize, text, options.SparseSize, level));
            default:
                return NewVmdkFiles.Begin(path, Descriptor(extents), extents, overwrite, source, NewTargetOf);
        }

        CopyTarget NewTargetOf(BlockStorage file, long length) => CreateType == VmdkCreateType.TwoGbMaxExtentSparse
            ? new VmdkSparseTarget(Through(file), new VmdkNewLayout(length, hasDescriptor: false), [], options.SparseSize)
            : new VmdkFlatTarget(Through(file), length, options.SparseSize);
    }

    private byte[] Descriptor(params VmdkNewExtent[] extents) => VmdkNewDescriptor.Write(CreateType, AdapterType, extents, NewId);
}

using System.Management.Automation;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>What can be said of the layout of a new file of a format other than qcow2.</summary>
internal interface IDiskLayout
{
    DiskImageType? DestinationType { get; }

    int ClusterSizeBytes { get; }

    int LogicalSectorSizeBytes { get; }

    int PhysicalSectorSizeBytes { get; }

    SwitchParameter AzureReady { get; }

    Preallocation Preallocation { get; }

    VmdkAdapterType AdapterType { get; }
}

/// <summary>
/// The one home of what the layout parameters mean to each format: which of them say something of it, and what. Those of qcow2 alone are explained by
/// <see cref="Qcow2Layout"/>.
/// </summary>
internal static class DiskLayout
{
    private const string Type = nameof(IDiskLayout.DestinationType);

    /// <summary>The same, of the cmdlet that has no source.</summary>
    private const string ShortType = nameof(Commands.NewQcow2ImageCommand.Type);

    private const string BlockSize = nameof(IDiskLayout.ClusterSizeBytes);
    private const string LogicalSector = nameof(IDiskLayout.LogicalSectorSizeBytes);
    private const string PhysicalSector = nameof(IDiskLayout.PhysicalSectorSizeBytes);
    private const string Adapter = nameof(IDiskLayout.AdapterType);
    private const string Azure = nameof(IDiskLayout.AzureReady);

    private static readonly Dictionary<DiskImageFormat, string[]> Known = new()
    {
        [DiskImageFormat.Raw] = [nameof(IDiskLayout.Preallocation)],
        [DiskImageFormat.Vhd] = [Type, ShortType, BlockSize, Azure],
        [DiskImageFormat.Vhdx] = [Type, ShortType, BlockSize, LogicalSector, PhysicalSector],
        [DiskImageFormat.Vmdk] = [Type, ShortType, Adapter],
        [DiskImageFormat.Vdi] = [Type, ShortType],
    };

    private static readonly Dictionary<DiskImageFormat, DiskImageType[]> Types = new()
    {
        [DiskImageFormat.Vhd] = [DiskImageType.Dynamic, DiskImageType.Fixed],
        [DiskImageFormat.Vhdx] = [DiskImageType.Dynamic, DiskImageType.Fixed],
        [DiskImageFormat.Vmdk] =
        [
            DiskImageType.Dynamic, DiskImageType.Fixed, DiskImageType.MonolithicSparse, DiskImageType.MonolithicFlat, DiskImageType.TwoGbMaxExtentSparse,
            DiskImageType.TwoGbMaxExtentFlat, DiskImageType.StreamOptimized, DiskImageType.Vmfs,
        ],
        [DiskImageFormat.Vdi] = [DiskImageType.Dynamic, DiskImageType.Fixed],
    };

    /// <summary>The names of all parameters that say how a file of another format than qcow2 is laid out.</summary>
    internal static IReadOnlyList<string> Names { get; } = [.. Known.Values.SelectMany(names => names).Distinct()];

    /// <summary>Refuses a parameter that says nothing of the format.</summary>
    /// <param name="path">The file that is to be made, as an error names it.</param>
    /// <param name="format">Its format.</param>
    /// <param name="bound">The layout parameters that were given.</param>
    /// <param name="qcow2Names">Those of them that say something of a qcow2 image.</param>
    internal static void RequireFitting(string path, DiskFormat format, IEnumerable<string> bound, IReadOnlyList<string> qcow2Names)
    {
        DiskImageFormat named = DiskImageFormats.Of(format);
        string? unfit = bound.FirstOrDefault(name => !Fits(name, named, qcow2Names));
        if (unfit is null)
        {
            return;
        }

        string[] others = [.. DiskFormats.All.Select(DiskImageFormats.Of).Where(other => Fits(unfit, other, qcow2Names)).Select(other => other.ToString())];
        throw ImageCmdletException.Contradiction(
            $"{path}: this is to be {format.Description}, of which -{unfit} says nothing; it is about {string.Join(", ", others)}."
            + (unfit == Azure ? " Azure takes a fixed VHD and nothing else: give the file a name that ends in .vhd." : named == DiskImageFormat.Raw ? " Give the destination a name that ends in .qcow2, or say which format it is to have." : ""));
    }

    /// <summary>The layout of a file that is not qcow2, out of what was said of it.</summary>
    /// <param name="path">The file that is to be made, as an error names it.</param>
    /// <param name="format">Its format.</param>
    /// <param name="said">The parameters, which fit.</param>
    /// <param name="hasBlockSize">Whether the size of a block is one of them.</param>
    /// <param name="compress">Whether the disk is to be compressed.</param>
    internal static DiskCreateOptions Of(string path, DiskFormat format, IDiskLayout said, bool hasBlockSize, bool compress = false)
    {
        DiskImageFormat named = DiskImageFormats.Of(format);
        if (said.DestinationType is DiskImageType type && Types.TryGetValue(named, out DiskImageType[]? types) && !types.Contains(type))
        {
            throw ImageCmdletException.Contradiction($"{path}: {format.Description} is {string.Join(" or ", types)}, not {type}.");
        }

        bool isFixed = said.DestinationType == DiskImageType.Fixed;
        int? blockSize = hasBlockSize ? said.ClusterSizeBytes : null;
        if (said.AzureReady && said.DestinationType == DiskImageType.Dynamic)
        {
            throw ImageCmdletException.Contradiction($"{path}: Azure takes fixed disks only, so that -{Azure} does not go with a dynamic one.");
        }

        VmdkCreateType vmdk = VmdkTypeOf(said.DestinationType, compress);
        if (compress && (named != DiskImageFormat.Vmdk || vmdk != VmdkCreateType.StreamOptimized))
        {
            throw ImageCmdletException.Contradiction(
                $"{path}: {(named == DiskImageFormat.Vmdk ? "only a VMDK of the type StreamOptimized has" : $"{format.Description} has no")} compression, so -Compress says nothing of it. "
                + "Give the destination a name that ends in .qcow2, or say -DestinationFormat Qcow2.");
        }

        return named switch
        {
            DiskImageFormat.Raw => new RawCreateOptions { Preallocation = said.Preallocation },
            DiskImageFormat.Vhd => new VhdCreateOptions { IsFixed = isFixed, BlockSize = blockSize, AzureReady = said.AzureReady },
            DiskImageFormat.Vhdx => new VhdxCreateOptions
            {
                IsFixed = isFixed,
                BlockSize = blockSize,
                LogicalSectorSize = said.LogicalSectorSizeBytes,
                PhysicalSectorSize = said.PhysicalSectorSizeBytes,
            },
            DiskImageFormat.Vmdk => new VmdkCreateOptions { CreateType = vmdk, AdapterType = said.AdapterType },
            DiskImageFormat.Vdi => new VdiCreateOptions { IsFixed = isFixed },
            _ => throw ImageCmdletException.NotPossible($"{path}: {format.Description} can only be read here, not made."),
        };
    }

    private static VmdkCreateType VmdkTypeOf(DiskImageType? type, bool compress) => type switch
    {
        null when compress => VmdkCreateType.StreamOptimized,
        DiskImageType.Fixed or DiskImageType.MonolithicFlat => VmdkCreateType.MonolithicFlat,
        DiskImageType.TwoGbMaxExtentSparse => VmdkCreateType.TwoGbMaxExtentSparse,
        DiskImageType.TwoGbMaxExtentFlat => VmdkCreateType.TwoGbMaxExtentFlat,
        DiskImageType.StreamOptimized => VmdkCreateType.StreamOptimized,
        DiskImageType.Vmfs => VmdkCreateType.VmfsFlat,
        _ => VmdkCreateType.MonolithicSparse,
    };

    private static bool Fits(string name, DiskImageFormat format, IReadOnlyList<string> qcow2Names)
        => format == DiskImageFormat.Qcow2 ? qcow2Names.Contains(name) : Known.TryGetValue(format, out string[]? names) && names.Contains(name);
}

using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>Fills <see cref="Qcow2ImageInfo"/> from the headers of a VHD.</summary>
internal static class VhdInfoReader
{
    internal static Qcow2ImageInfo Describe(BlockStorage file)
    {
        var structure = VhdStructure.Read(file, isSaid: true, isSalvage: false);
        VhdDynamicHeader? header = structure.Header;
        bool hasParent = structure.IsDifferencing;
        return new Qcow2ImageInfo
        {
            Size = structure.Size,
            Subformat = structure.Footer.DiskType.ToString(),
            ClusterSize = header is { BlockSize: <= int.MaxValue } ? (int)header.BlockSize : null,
            DiskIdentifier = structure.Footer.UniqueId.ToString(),
            ParentIdentifier = hasParent ? header!.ParentUniqueId.ToString() : null,
            BackingFile = !hasParent ? null : structure.ParentNames.Count > 0 ? structure.ParentNames[0] : "",
            BackingFormat = hasParent ? "vhd" : null,
            ParentPath = hasParent ? ParentSearch.PathOf(structure.ParentNames, file) : null,
            Problems = [.. structure.Problems],
            Vhd = Describe(structure.Footer, header, structure),
        };
    }

    private static VhdInfo Describe(VhdFooter footer, VhdDynamicHeader? header, VhdStructure structure) => new()
    {
        Creator = VhdText.Code(footer.CreatorApplication),
        CreatorVersion = VhdText.Version(footer.CreatorVersion),
        CreatorHostOs = VhdText.Code(footer.CreatorHostOs),
        CreationTime = footer.CreationTime,
        OriginalSize = footer.OriginalSize <= long.MaxValue ? (long)footer.OriginalSize : 0,
        Geometry = footer.Geometry.ToString(),
        GeometrySize = footer.Geometry.Size,
        IsTemporary = (footer.Features & 1) != 0,
        IsSavedState = footer.IsSavedState,
        ParentNames = [.. structure.ParentNames],
        ParentTime = structure.IsDifferencing && header!.ParentTimeStamp != 0 ? VhdFooter.TimeOf(header.ParentTimeStamp) : null,
    };
}

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>
/// Where things lie in a sparse extent that is made here: the header, room for a descriptor, the copy of directory and tables, both themselves, and
/// behind them the grains. As VMware has it, but that grains lie at multiples of their size.
/// </summary>
internal sealed class VmdkNewLayout
{
    /// <summary>Unit of allocation, as VMware and QEMU have it.</summary>
    internal const int GrainSize = 64 * 1024;

    internal const long GrainSectors = GrainSize / VmdkLimits.SectorSize;

    /// <summary>Entries of a grain table.</summary>
    internal const int TableEntries = 512;

    /// <summary>Sectors of a grain table.</summary>
    internal const long TableSectors = TableEntries * sizeof(uint) / VmdkLimits.SectorSize;

    internal const long DescriptorSector = 1;

    /// <summary>Room for the descriptor: programs add lines to it, and some do not look what lies behind.</summary>
    internal const long DescriptorSectors = 20;

    /// <param name="length">Bytes of the disk that lie in the extent.</param>
    /// <param name="hasDescriptor">Whether the descriptor lies in the file, too.</param>
    internal VmdkNewLayout(long length, bool hasDescriptor)
    {
        Length = length;
        HasDescriptor = hasDescriptor;
        RedundantDirectorySector = DescriptorSector + (hasDescriptor ? DescriptorSectors : 0);
        DirectorySector = RedundantTablesSector + (Tables * TableSectors);
        DataSector = RoundUp(TablesSector + (Tables * TableSectors), GrainSectors);
    }

    /// <summary>Bytes of the disk that lie in the extent.</summary>
    internal long Length { get; }

    /// <summary>Whether the descriptor lies in the file.</summary>
    internal bool HasDescriptor { get; }

    internal long RedundantDirectorySector { get; }

    internal long RedundantTablesSector => RedundantDirectorySector + DirectorySectors;

    internal long DirectorySector { get; }

    internal long TablesSector => DirectorySector + DirectorySectors;

    /// <summary>Where the first grain lies.</summary>
    internal long DataSector { get; }

    internal long Grains => GrainsOf(Length);

    internal long Tables => TablesOf(Length);

    private long DirectorySectors => DirectorySectorsOf(Length);

    /// <summary>Grains of a disk.</summary>
    internal static long GrainsOf(long length) => DivideUp(length, GrainSize);

    /// <summary>Grain tables of a disk.</summary>
    internal static long TablesOf(long length) => DivideUp(GrainsOf(length), TableEntries);

    /// <summary>Sectors of a directory, one at least.</summary>
    internal static long DirectorySectorsOf(long length) => Math.Max(1, DivideUp(TablesOf(length) * sizeof(uint), VmdkLimits.SectorSize));

    /// <summary>Bytes of a file in which this many grains have a place.</summary>
    internal long FileSizeOf(long grains) => (DataSector * VmdkLimits.SectorSize) + (grains * GrainSize);

    private static long RoundUp(long value, long unit) => DivideUp(value, unit) * unit;

    private static long DivideUp(long value, long unit) => (value / unit) + (value % unit != 0 ? 1 : 0);
}

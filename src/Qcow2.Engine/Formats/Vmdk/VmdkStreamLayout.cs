using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>Sizes in a stream that is made here: the header and the descriptor, grains with their tables behind them, the directory and the footer.</summary>
internal static class VmdkStreamLayout
{
    /// <summary>Where the first grain lies, as in the streams of ovftool.</summary>
    internal const long DataSector = 128;

    /// <summary>In front of each compressed grain: the sector of the disk, and the length.</summary>
    internal const int GrainHeaderLength = 12;

    /// <summary>A grain table with its marker.</summary>
    internal const long MarkedTableSectors = 1 + VmdkNewLayout.TableSectors;

    private const int DefaultLevel = 6;
    private const int MaxLevel = 9;

    /// <summary>The directory's marker, the footer with its own, and the mark of the end.</summary>
    private const long EndSectors = 4;

    /// <summary>The most sectors of a grain: one that cannot be compressed.</summary>
    internal static int MaxGrainSectors { get; }
        = (GrainHeaderLength + ZlibEncoder.MaxLength(VmdkNewLayout.GrainSize) + VmdkLimits.SectorSize - 1) / VmdkLimits.SectorSize;

    /// <summary>The level to compress with.</summary>
    /// <param name="level">Null for the default.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such level.</exception>
    internal static int LevelOf(int? level) => level switch
    {
        null => DefaultLevel,
        >= 1 and <= MaxLevel => level.Value,
        _ => throw new ArgumentOutOfRangeException(nameof(level), level, $"A compression level of a streamOptimized VMDK image is 1 to {MaxLevel}."),
    };

    /// <summary>The most bytes of a stream with this many grains.</summary>
    internal static long MaxFileSizeOf(long diskSize, long grains)
        => (DataSector + (grains * MaxGrainSectors) + (Math.Min(grains, VmdkNewLayout.TablesOf(diskSize)) * MarkedTableSectors) + VmdkNewLayout.DirectorySectorsOf(diskSize) + EndSectors)
            * VmdkLimits.SectorSize;
}

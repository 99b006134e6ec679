namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>Sizes that the format fixes, and limits of this reader.</summary>
internal static class VmdkLimits
{
    /// <summary>Everything in the format counts in sectors of this many bytes.</summary>
    internal const int SectorSize = 512;

    /// <summary>Most bytes of a descriptor: thousands of extents have room in it.</summary>
    internal const int MaxDescriptorLength = 4 << 20;

    internal const int MaxExtents = 65_536;

    /// <summary>Most sectors of a grain. VMware makes grains of 128 sectors.</summary>
    internal const long MaxGrainSectors = 32_768;

    internal const int MaxTableEntries = 512;

    /// <summary>Most entries of a grain directory, as in QEMU.</summary>
    internal const long MaxDirectoryEntries = 32 << 20;

    /// <summary>The largest disk: offsets stay far from where 64 bits end.</summary>
    internal const long MaxSectors = 1L << 50;
}

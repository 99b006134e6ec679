namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>How a disk is divided into files of at most 2 GiB, for file systems that have no larger ones.</summary>
internal static class VmdkSplit
{
    /// <summary>Bytes of the disk in each file but the last: 2047 MiB, so that a sparse one with its tables stays below 2 GiB, too.</summary>
    internal const long ExtentSize = 4_192_256L * VmdkLimits.SectorSize;

    /// <summary>The bytes of the disk that each file has; one file at least.</summary>
    internal static long[] Of(long diskSize)
    {
        var lengths = new long[Math.Max(1, ((diskSize - 1) / ExtentSize) + 1)];
        lengths.AsSpan().Fill(ExtentSize);
        lengths[lengths.Length - 1] = diskSize - ((lengths.Length - 1) * ExtentSize);
        return lengths;
    }
}

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>How large a new disk can be.</summary>
internal static class VmdkNewLimits
{
    /// <summary>Tables say in which sector something lies, in 32 bits.</summary>
    internal const long MaxSparseFile = (1L << 32) * VmdkLimits.SectorSize;

    /// <summary>The largest disk of ESXi.</summary>
    private const long MaxEsxiDisk = 62L << 40;

    /// <summary>The largest disk of Workstation and Fusion.</summary>
    private const long MaxHostedDisk = 8L << 40;

    /// <summary>Refuses a disk that is too large.</summary>
    /// <param name="type">What is made.</param>
    /// <param name="diskSize">Size of the disk, in bytes.</param>
    /// <exception cref="Qcow2Exception">It is.</exception>
    internal static void Check(VmdkCreateType type, long diskSize)
    {
        switch (type)
        {
            case VmdkCreateType.MonolithicSparse when diskSize > MaxSparseFile || IsTooLong(diskSize):
                throw TooLarge("A monolithicSparse VMDK image", "with its tables ends before 2 TiB", "; a disk of this size can be twoGbMaxExtentSparse or monolithicFlat, for ESXi vmfs or streamOptimized");
            case VmdkCreateType.TwoGbMaxExtentSparse or VmdkCreateType.TwoGbMaxExtentFlat or VmdkCreateType.MonolithicFlat when diskSize > MaxHostedDisk:
                throw TooLarge("A VMDK disk of Workstation or Fusion", "has 8 TiB at most", "; a disk of this size can be vmfs or streamOptimized, for ESXi");
            case VmdkCreateType.StreamOptimized or VmdkCreateType.VmfsFlat when diskSize > MaxEsxiDisk:
                throw TooLarge("A VMDK disk", "has 62 TiB at most", "");
        }

        Qcow2Exception TooLarge(string what, string limit, string instead) => new(Qcow2ErrorCode.LimitExceeded, $"{what} {limit}, and {diskSize} bytes are asked for{instead}.");
    }

    /// <summary>Refuses a stream that has become too long.</summary>
    /// <param name="end">Where it ends, in bytes.</param>
    /// <param name="path">The file.</param>
    /// <exception cref="Qcow2Exception">It is.</exception>
    internal static void CheckStream(long end, string path)
    {
        if (end > MaxSparseFile)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.LimitExceeded, "What the disk holds is more than 2 TiB compressed, and a streamOptimized VMDK image ends there; the disk can be vmfs.").At(path);
        }
    }

    private static bool IsTooLong(long diskSize)
    {
        var layout = new VmdkNewLayout(diskSize, hasDescriptor: true);
        return layout.FileSizeOf(layout.Grains) > MaxSparseFile;
    }
}

using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <summary>What a stretch of the guest's disk is in one image, without its backing file.</summary>
internal enum ClusterState
{
    /// <summary>Nothing here; the backing file shows through.</summary>
    Unallocated,

    /// <summary>Reads as zeros and has no host cluster.</summary>
    ZeroPlain,

    /// <summary>Reads as zeros and keeps a host cluster in reserve.</summary>
    ZeroAllocated,

    /// <summary>Data in host clusters.</summary>
    Data,

    /// <summary>Data of one compressed cluster.</summary>
    Compressed,
}

/// <summary>A stretch of the guest's disk that is all of one state and, where it has host clusters, contiguous in the file.</summary>
/// <param name="State">What it is.</param>
/// <param name="Length">Guest bytes.</param>
/// <param name="HostOffset">Host offset of its first byte; of the compressed data where it is compressed; meaningless where it has none.</param>
/// <param name="CompressedLength">Most bytes the compressed data can have.</param>
internal readonly record struct ClusterRun(ClusterState State, long Length, long HostOffset = 0, int CompressedLength = 0)
{
    internal bool HasHostOffset => State is ClusterState.Data or ClusterState.ZeroAllocated;

    /// <summary>Whether another run continues this one.</summary>
    internal bool IsContinuedBy(ClusterRun next)
        => next.State == State
            && State != ClusterState.Compressed
            && (!HasHostOffset || next.HostOffset == HostOffset + Length);

    internal static ClusterRun Compressed(CompressedClusterDescriptor descriptor, long length)
        => new(ClusterState.Compressed, length, descriptor.HostOffset, descriptor.Length);
}

using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Snapshots;

/// <summary>What creating, applying or deleting a snapshot makes of an image's tables.</summary>
internal sealed record TableChange
{
    /// <summary>The entries of the active L1 table; their COPIED flags are worked out.</summary>
    internal required ulong[] ActiveL1 { get; init; }

    /// <summary>Size of the active disk, in bytes.</summary>
    internal required long DiskSize { get; init; }

    /// <summary>L1 tables whose references go.</summary>
    internal IReadOnlyList<ulong[]> Removed { get; init; } = [];

    /// <summary>L1 tables whose references are added.</summary>
    internal IReadOnlyList<ulong[]> Added { get; init; } = [];

    /// <summary>Entries of the active L1 table, from the first on, that also become the L1 table of a new snapshot; 0 for no new one.</summary>
    internal int NewSnapshotL1Size { get; init; }

    /// <summary>Makes the snapshot table, of the host offset of the new snapshot's L1 table.</summary>
    internal required Func<long, IReadOnlyList<SnapshotTableEntry>> Snapshots { get; init; }

    /// <summary>
    /// Runs of clusters that were allocated for what <see cref="Added"/> leads to: the one count that each has stands for what is counted there.
    /// Freed where the change fails.
    /// </summary>
    internal IReadOnlyList<(long Cluster, long Count)> Provisional { get; init; } = [];

    /// <summary>Runs of clusters that were allocated for something else, and keep their count. Freed where the change fails.</summary>
    internal IReadOnlyList<(long Cluster, long Count)> Placed { get; init; } = [];

    /// <summary>Structures that nothing refers to afterwards, as host offset and length.</summary>
    internal IReadOnlyList<(long Offset, long Length)> Released { get; init; } = [];
}
